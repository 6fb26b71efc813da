/** One account, as in the research simulation: continuous token buckets per minute. */
export const account = { requests: 1_000, input: 2_000_000, output: 80_000 } as const;

/** Virtual seconds per real second. */
export const speed = 20;

/** Tokens that a model writes per second. */
const tokensPerSecond = 80;

/** Standard normal (Box-Muller). */
function normal(): number {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

/** Log-normal around a median, with the spread seen in agents' calls. */
function logNormal(median: number, sigma: number): number {
  return median * Math.exp(sigma * normal());
}

/** Input tokens of one agent call. */
export function inputTokens(): number {
  return Math.min(100_000, Math.round(logNormal(5_000, 0.6)));
}

/** Output tokens of one agent call. */
export function outputTokens(): number {
  return Math.min(8_192, Math.max(1, Math.round(logNormal(550, 0.7))));
}

/** Virtual milliseconds until the answer is complete. */
export function answerTime(output: number): number {
  return 500 + (output / tokensPerSecond) * 1_000;
}
