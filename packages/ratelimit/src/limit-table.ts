import { type Duration, toMilliseconds } from './duration.ts';
import { CostExceedsLimitError, InvalidOptionError } from './errors.ts';
import type { Estimator } from './estimate.ts';
import type { CallContext } from './policy.ts';
import type { RateSpec, RateTable } from './store.ts';

/**
 * How a limit is kept. `strict`: never more than `limit` in *any* window of `per`, wherever the window starts.
 * `mirror`: a token bucket of `burst` units refilled with `limit` per `per`, as providers keep theirs; up to `burst + limit` in one window.
 */
export type LimitMode = 'strict' | 'mirror';

/**
 * One limit of a vector. A call that has to wait books every limit that it counts against at its slot in the future; where some calls count against
 * a limit that others do not, put that one into a `rateLimit` of its own in front, or the others are held up as well.
 */
export interface LimitOptions {
  /** Units per window. */
  readonly limit: number;
  /** Length of the window. */
  readonly per: Duration;
  /** Units that may be used at once. @default 5 % of `limit` in strict mode, `limit` in mirror mode */
  readonly burst?: number;
  /** Which part of a call's cost counts. @default 'requests' */
  readonly dimension?: string;
  /** Name in errors, in the waiting line and in metrics. @default the dimension */
  readonly name?: string;
  /** Keeps the limit apart per value, e.g. `(ctx) => ctx.tenant ?? 'none'`; without it the limit covers the account. */
  readonly scope?: (ctx: CallContext) => string;
  /** @default the mode of the policy */
  readonly mode?: LimitMode;
  /** Guesses the cost of calls that do not state it, e.g. {@link learnedEstimate} for output tokens. @default 1 request, else 0 */
  readonly estimate?: Estimator;
}

/** A checked limit. */
export interface Limit {
  readonly name: string;
  readonly dimension: string;
  /** The most that one call may cost. */
  readonly capacity: number;
  readonly interval: number;
  readonly burst: number;
  readonly scope: ((ctx: CallContext) => string) | undefined;
  readonly estimate: Estimator | undefined;
}

/**
 * Checks a limit and works out interval and burst.
 *
 * Strict: with burst B and interval T, whole-number costs within any half-open window W stay below `B + W/T`, so `T = W / (limit - B + 1)`
 * admits exactly `limit`.
 */
export function compileLimit(options: LimitOptions, defaultMode: LimitMode): Limit {
  const {
    limit,
    dimension = 'requests',
    name = dimension,
    mode = options.mode ?? defaultMode,
  } = options as LimitOptions & {
    mode?: LimitMode;
  };
  const windowMicros = toMilliseconds(options.per, `limits.${name}.per`) * 1000;
  const burst = options.burst ?? (mode === 'strict' ? Math.max(1, Math.floor(limit * 0.05)) : limit);
  if (!(Number.isInteger(limit) && limit >= 1)) throw invalid(name, 'limit', 'a whole number from 1 up', limit);
  if (!(Number.isInteger(burst) && burst >= 1)) throw invalid(name, 'burst', 'a whole number from 1 up', burst);
  if (mode === 'strict' && burst > limit) throw invalid(name, 'burst', `at most the limit (${limit})`, burst);
  if (windowMicros <= 0) throw invalid(name, 'per', 'longer than 0', options.per);
  const interval = wholeWhenLong(windowMicros / (mode === 'strict' ? limit - burst + 1 : limit));
  return {
    name,
    dimension,
    capacity: mode === 'strict' ? limit : burst,
    interval,
    burst,
    scope: options.scope,
    estimate: options.estimate,
  };
}

/** A whole interval makes bursts exact; below a tenth of a millisecond the rounding would cost more than it gives. */
function wholeWhenLong(interval: number): number {
  return interval >= 100 ? Math.ceil(interval) : interval;
}

function invalid(limit: string, option: string, expected: string, value: unknown): InvalidOptionError {
  return new InvalidOptionError(
    `Expected \`${option}\` of the limit "${limit}" to be ${expected}, got ${String(value)}.`,
  );
}

/** A table with what only this process knows of it. */
export interface CallTable extends RateTable {
  /** Units reserved by calls of this process that have not ended, per limit. */
  readonly inFlight: Float64Array;
}

/** Makes the {@link CallTable} of a call, one per combination of account and scopes. */
export class TableFactory {
  readonly #limits: readonly Limit[];
  readonly #shares: readonly number[];
  readonly #recovery: number;
  readonly #tables = new Map<string, CallTable>();
  readonly #maxTables: number;

  constructor(limits: readonly Limit[], shares: readonly number[], recovery: number, maxTables = 10_000) {
    this.#limits = limits;
    this.#shares = shares;
    this.#recovery = recovery;
    this.#maxTables = maxTables;
  }

  tableFor(account: string, ctx: CallContext): CallTable {
    let id = account;
    for (const { scope } of this.#limits) if (scope !== undefined) id += `\n${scope(ctx)}`;
    const known = this.#tables.get(id);
    if (known !== undefined) return known;
    if (this.#tables.size >= this.#maxTables) this.#tables.clear();
    const table = this.#build(id, account, ctx);
    this.#tables.set(id, table);
    return table;
  }

  #build(id: string, account: string, ctx: CallContext): CallTable {
    const scopes = [''];
    const limits = this.#limits.map((limit): RateSpec => {
      const scope = limit.scope === undefined ? '' : `${limit.name}=${limit.scope(ctx)}`;
      if (!scopes.includes(scope)) scopes.push(scope);
      return { scope: scopes.indexOf(scope), interval: limit.interval, burst: limit.burst };
    });
    const inFlight = new Float64Array(limits.length);
    return { id, account, scopes, limits, shares: this.#shares, recovery: this.#recovery, inFlight };
  }
}

/**
 * What a call costs per limit: what it states, else what the limit's estimator guesses, else one request or nothing of another dimension.
 *
 * @throws CostExceedsLimitError when the stated cost can never pass
 */
export function costPerLimit(limits: readonly Limit[], ctx: CallContext, share: number): number[] {
  return limits.map((limit) => {
    const stated = ctx.cost[limit.dimension];
    const capacity = Math.max(1, Math.floor(limit.capacity * share));
    if (stated === undefined && limit.estimate !== undefined) return Math.min(capacity, limit.estimate.estimate(ctx));
    const units = Math.ceil(stated ?? (limit.dimension === 'requests' ? 1 : 0));
    if (!(units >= 0)) throw invalid(limit.name, 'cost', 'a number from 0 up', stated);
    if (units > capacity) throw new CostExceedsLimitError(limit.name, units, capacity);
    return units;
  });
}
