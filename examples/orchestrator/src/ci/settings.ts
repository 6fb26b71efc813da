/** When the forge is asked what its webhooks did not tell. All durations in milliseconds. */
export interface CiSettings {
  /** A repository that was silent for so long while runs wait for its checks is asked. */
  readonly silence: number;
  /** While webhooks come, a commit that runs still wait for is asked about this seldom. */
  readonly slowPoll: number;
  /** A commit that nobody reports a check for passes after this time. */
  readonly noChecks: number;
  /** Calls of the forge that asking may cost, in all processes together. */
  readonly callsPerHour: number;
  /** Between two looks for deliveries that did not arrive. */
  readonly sweepInterval: number;
}
