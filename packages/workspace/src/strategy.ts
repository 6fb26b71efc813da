/** How a working tree comes to be, best first. */
export type StrategyName = 'overlay' | 'snapshot' | 'pool' | 'clone' | 'worktree';

/** What the probe at start found out about one strategy. */
export interface StrategyProbe {
  /** The strategy. */
  readonly strategy: StrategyName;
  /** True when it was tried on this root and worked. */
  readonly available: boolean;
  /** Why it is not available, or how it works here. */
  readonly reason: string;
}
