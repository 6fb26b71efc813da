import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { type Clock, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { isAbort, isRefusal, statusOf } from './error-shape.ts';
import { CircuitOpenError, InvalidOptionError } from './errors.ts';
import type { DetectorOptions } from './failure-detector.ts';
import type { CircuitState, RateLimitInstrumentation } from './instrumentation.ts';
import { KeyHealth } from './key-health.ts';
import { MemoryCircuits } from './memory/circuits.ts';
import type { CallContext, Policy } from './policy.ts';
import { SharedCircuits } from './shared-circuits.ts';
import type { CircuitRecord, Store } from './store.ts';
import { StoreGate } from './store-gate.ts';

/** Options of {@link circuitBreaker}. */
export interface CircuitBreakerOptions {
  /** What fails together. @default (ctx) => ctx.key */
  readonly key?: (ctx: CallContext) => string;
  /** Share of failed calls above which the circuit opens. @default 0.5 */
  readonly failureRatio?: number;
  /** Calls within the window before the ratio counts. @default 10 */
  readonly minCalls?: number;
  /** Failures in a row that open the circuit at once, however many calls succeeded before. @default Infinity */
  readonly consecutiveFailures?: number;
  /** Length of the rolling window. @default '30s' */
  readonly window?: Duration;
  /** How long the circuit stays open before it is probed. @default '10s' */
  readonly openFor?: Duration;
  /** Probes that may run at once, over the whole fleet. @default 1 */
  readonly probes?: number;
  /** Successful probes that close the circuit. @default the number of probes */
  readonly successesToClose?: number;
  /** How long a probe keeps its place when its process dies. @default '1m' */
  readonly probeLease?: Duration;
  /** Which failures speak against the downstream. @default {@link isDownstreamFailure} */
  readonly countsAsFailure?: (error: unknown, ctx: CallContext) => boolean;
  /** Shares the state: what one process opens, all refuse within `freshness`. @default this process only */
  readonly store?: Pick<Store, 'name' | 'circuits'>;
  /** Age up to which a process trusts its last look at the shared state. @default 100 */
  readonly freshness?: Duration;
  /** Time after which an unanswered store is ignored: the breaker then works on what this process knows. @default 50 */
  readonly storeTimeout?: Duration;
  /** Keys remembered at most. @default 10_000 */
  readonly maxKeys?: number;
  /** @default 'circuitBreaker' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** The policy made by {@link circuitBreaker}. */
export interface CircuitBreaker extends Policy {
  /** State of a key as this process last saw it. */
  state(key?: string): CircuitState;
  /** Keys that take memory in this process. */
  size(): number;
}

/**
 * Stops calling what keeps failing. opossum's rolling window decides when a key opens (kept only while the key fails; a healthy key costs nothing),
 * the store decides who may probe and when it closes. A circuit is never stuck: probes have leases.
 *
 * @throws CircuitOpenError
 *
 * @example
 * ```ts
 * const call = wrap(retry(), circuitBreaker({ key: (ctx) => ctx.model ?? 'none' }), timeout('10m'));
 * ```
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreaker {
  const engine = new BreakerEngine(options);
  const policy: Policy = (next, ctx) => engine.run(next, ctx);
  return Object.assign(policy, {
    state: (key = 'default') => engine.state(key),
    size: () => engine.size,
  });
}

class BreakerEngine {
  readonly #name: string;
  readonly #key: (ctx: CallContext) => string;
  readonly #countsAsFailure: (error: unknown, ctx: CallContext) => boolean;
  readonly #health: LRUCache<string, KeyHealth>;
  readonly #detection: DetectorOptions;
  readonly #circuits: SharedCircuits;
  readonly #instrumentation: RateLimitInstrumentation | undefined;
  readonly #openMs: number;
  readonly #probes: number;
  readonly #successesToClose: number;
  readonly #probeLeaseMs: number;

  constructor(options: CircuitBreakerOptions) {
    const { failureRatio = 0.5, minCalls = 10, clock = systemClock, maxKeys = 10_000, instrumentation } = options;
    if (!(failureRatio > 0 && failureRatio <= 1)) {
      throw new InvalidOptionError(`Expected \`failureRatio\` to be above 0 and at most 1, got ${failureRatio}.`);
    }
    this.#name = options.name ?? 'circuitBreaker';
    this.#key = options.key ?? ((ctx) => ctx.key);
    this.#countsAsFailure = options.countsAsFailure ?? isDownstreamFailure;
    const { consecutiveFailures = Number.POSITIVE_INFINITY } = options;
    this.#detection = {
      failureRatio,
      minCalls,
      consecutiveFailures,
      windowMs: toMilliseconds(options.window ?? '30s', 'window'),
      clock,
    };
    this.#health = new LRUCache({ max: maxKeys, dispose: (health) => health.dispose() });
    this.#instrumentation = instrumentation;
    this.#circuits = sharedCircuits(options, clock, (key, state, remote) => this.#tell(key, state, remote));
    this.#openMs = toMilliseconds(options.openFor ?? '10s', 'openFor');
    this.#probes = options.probes ?? 1;
    this.#successesToClose = options.successesToClose ?? this.#probes;
    this.#probeLeaseMs = toMilliseconds(options.probeLease ?? '1m', 'probeLease');
  }

  get size(): number {
    return this.#health.size;
  }

  state(key: string): CircuitState {
    return this.#circuits.seen(key);
  }

  async run<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const key = this.#key(ctx);
    const looked = this.#circuits.look(key);
    const record = looked instanceof Promise ? await looked : looked;
    if (record.state === 'closed') return this.#observe(key, next, ctx);
    if (record.state === 'half-open') return this.#probe(key, next, ctx);
    throw this.#refuse(key, ctx, record);
  }

  async #observe<T>(key: string, next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    try {
      const value = await next(ctx);
      this.#healthOf(key).succeeded();
      return value;
    } catch (error) {
      if (this.#countsAsFailure(error, ctx)) await this.#failed(key);
      throw error;
    }
  }

  async #failed(key: string): Promise<void> {
    const opens = await this.#healthOf(key).failed();
    if (!opens || this.#circuits.seen(key) !== 'closed') return;
    this.#health.delete(key);
    await this.#circuits.open(key, this.#openMs);
  }

  async #probe<T>(key: string, next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const id = randomUUID();
    const { granted, record } = await this.#circuits.probe(key, id, this.#probes, this.#probeLeaseMs);
    if (!granted) {
      if (record.state === 'closed') return this.#observe(key, next, ctx);
      throw this.#refuse(key, ctx, record);
    }
    let verdict: boolean | undefined;
    try {
      const value = await next(ctx);
      verdict = true;
      return value;
    } catch (error) {
      // A call that its caller gave up says nothing about the downstream.
      verdict = ctx.aborted ? undefined : !this.#countsAsFailure(error, ctx);
      throw error;
    } finally {
      await this.#circuits.report(key, id, verdict, this.#successesToClose, this.#openMs);
    }
  }

  #healthOf(key: string): KeyHealth {
    const known = this.#health.get(key);
    if (known !== undefined) return known;
    const health = new KeyHealth(this.#detection);
    this.#health.set(key, health);
    return health;
  }

  #refuse(key: string, ctx: CallContext, { openFor }: CircuitRecord): CircuitOpenError {
    // Half-open and all probes running: their outcome is soon known.
    const error = new CircuitOpenError(key, openFor > 0 ? openFor : Math.min(1_000, this.#openMs));
    const { retryAfter: retryAfterMs, code } = error;
    this.#instrumentation?.onRefused?.({
      policy: this.#name,
      key,
      tenant: ctx.tenant,
      code,
      reason: 'circuit open',
      retryAfterMs,
    });
    return error;
  }

  #tell(key: string, state: CircuitState, remote: boolean): void {
    this.#instrumentation?.onCircuit?.({ policy: this.#name, key, state, remote });
  }
}

function sharedCircuits(
  options: CircuitBreakerOptions,
  clock: Clock,
  onChange: (key: string, state: CircuitState, remote: boolean) => void,
): SharedCircuits {
  const { store, instrumentation, maxKeys = 10_000 } = options;
  const timeoutMs = toMilliseconds(options.storeTimeout ?? 50, 'storeTimeout');
  return new SharedCircuits({
    local: new MemoryCircuits(clock),
    shared: store?.circuits,
    gate: store && new StoreGate({ store: store.name, timeoutMs, clock, instrumentation }),
    prefix: `${options.name ?? 'circuitBreaker'}/`,
    freshMs: toMilliseconds(options.freshness ?? 100, 'freshness'),
    maxKeys,
    clock,
    onChange,
  });
}

/**
 * The default of {@link CircuitBreakerOptions.countsAsFailure}: whatever is not an answer. HTTP 5xx (529 "overloaded" included), timeouts and
 * network failures count; 429 and other 4xx, refusals of our own policies and aborts of the caller do not.
 */
export function isDownstreamFailure(error: unknown, ctx?: CallContext): boolean {
  if (ctx?.aborted === true || isAbort(error)) return false;
  const status = statusOf(error);
  if (status !== undefined) return status >= 500;
  return !isRefusal(error);
}
