import type { CallContext } from './policy.ts';

/** Guesses what a call will use of one dimension, and learns from what it did use. */
export interface Estimator {
  /** Units to reserve for a call. */
  estimate(ctx: CallContext): number;
  /** What a call used. */
  learn(ctx: CallContext, actual: number): void;
  /** A call with a reservation began. */
  begin(ctx: CallContext): void;
  /** A call with a reservation ended, with or without a known usage. */
  finish(ctx: CallContext): void;
}

/** Options of {@link learnedEstimate}. */
export interface LearnedEstimateOptions {
  /** Units reserved while nothing is known. @default 1024 */
  readonly initial?: number;
  /** Standard deviations (of the mean of the calls in flight) on top of the mean. @default 1.5 */
  readonly safety?: number;
  /** Calls over which the past fades. @default 64 */
  readonly memory?: number;
  /** Calls that behave alike. @default model and tenant */
  readonly kind?: (ctx: CallContext) => string;
  /** Kinds remembered at most; the oldest are forgotten. @default 1000 */
  readonly maxKinds?: number;
}

interface Experience {
  calls: number;
  mean: number;
  variance: number;
  inFlight: number;
}

/**
 * Reserves what such calls used lately, plus a margin. The margin shrinks with the number of calls in flight, because their
 * errors even out: `mean + safety * deviation / sqrt(in flight)`. Reserving the request's maximum instead would leave most of a quota unused.
 */
export function learnedEstimate(options: LearnedEstimateOptions = {}): Estimator {
  const { initial = 1_024, safety = 1.5, memory = 64, maxKinds = 1_000 } = options;
  const kind = options.kind ?? ((ctx) => `${ctx.model ?? ''}\n${ctx.tenant ?? ''}`);
  const experiences = new Map<string, Experience>();

  const experienceOf = (ctx: CallContext): Experience => {
    const name = kind(ctx);
    const known = experiences.get(name);
    if (known !== undefined) return known;
    if (experiences.size >= maxKinds) experiences.delete(experiences.keys().next().value as string);
    const fresh = { calls: 0, mean: initial, variance: 0, inFlight: 0 };
    experiences.set(name, fresh);
    return fresh;
  };

  return {
    estimate(ctx) {
      const { mean, variance, inFlight } = experienceOf(ctx);
      return Math.ceil(mean + (safety * Math.sqrt(variance)) / Math.sqrt(inFlight + 1));
    },
    learn(ctx, actual) {
      const experience = experienceOf(ctx);
      experience.calls += 1;
      const weight = Math.max(1 / experience.calls, 1 / memory);
      const error = actual - experience.mean;
      experience.mean += weight * error;
      experience.variance = (1 - weight) * (experience.variance + weight * error * error);
    },
    begin(ctx) {
      experienceOf(ctx).inFlight += 1;
    },
    finish(ctx) {
      const experience = experienceOf(ctx);
      experience.inFlight = Math.max(0, experience.inFlight - 1);
    },
  };
}
