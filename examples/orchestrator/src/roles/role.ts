/** A part of the program that can run alone in a process of its own. */
export interface Role {
  readonly name: string;
  /** Lets what is under way end, within the drain timeout. */
  stop(): Promise<void>;
}
