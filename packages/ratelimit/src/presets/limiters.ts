import type { CallContext, Policy } from '../policy.ts';
import { type RateLimit, type RateLimitOptions, type RateLimitStats, rateLimit } from '../rate-limit.ts';
import type { WaitingCall } from '../waiting-line.ts';
import { compose } from '../wrap.ts';
import type { LimitReport, ProviderPreset } from './preset.ts';

type Units = Readonly<Record<string, number>>;

/** Keys remembered at most; the oldest is forgotten. */
const maxKeys = 1_000;

/**
 * The limits of one key. A call that waits for several limits books all of them at the slot it takes, so limits that only some calls count against
 * are a layer of their own in front of the others: who waits for them holds up nobody else.
 */
class KeyLimits {
  readonly units: Units;
  readonly policy: Policy;
  readonly #common: RateLimit;
  readonly #layers: readonly RateLimit[];

  constructor(preset: ProviderPreset, units: Units, options: Omit<RateLimitOptions, 'limits'>) {
    this.units = units;
    const limits = preset.limits(units);
    const scarce = limits.filter(({ name }) => name !== undefined && preset.scarce?.includes(name) === true);
    this.#common = rateLimit({ ...options, limits: limits.filter((limit) => !scarce.includes(limit)) });
    if (scarce.length === 0) {
      this.#layers = [this.#common];
      this.policy = this.#common;
      return;
    }
    const first = rateLimit({ ...options, limits: scarce, key: (ctx) => `${ctx.key}/scarce` });
    const dimensions = new Set(scarce.map(({ dimension = 'requests' }) => dimension));
    const counts = ({ cost }: CallContext): boolean => [...dimensions].some((dimension) => (cost[dimension] ?? 0) > 0);
    this.#layers = [first, this.#common];
    this.policy = compose((next, ctx) => (counts(ctx) ? first(next, ctx) : next(ctx)), this.#common);
  }

  line(): WaitingCall[] {
    return this.#layers.flatMap((layer) => layer.line());
  }

  async stats(key: string): Promise<RateLimitStats> {
    const all = await Promise.all(this.#layers.map((layer) => layer.stats({ key })));
    return {
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
      remaining: Object.assign({}, ...all.map(({ remaining }) => remaining)) as RateLimitStats['remaining'],
      pausedFor: Math.max(...all.map(({ pausedFor }) => pausedFor)),
      factor: Math.min(...all.map(({ factor }) => factor)),
    };
  }

  async report(ctx: CallContext, { remaining, pauseFor }: LimitReport): Promise<void> {
    if (remaining !== undefined) await Promise.all(this.#layers.map((layer) => layer.report(ctx, remaining)));
    if (pauseFor !== undefined) await this.#common.pause(ctx, pauseFor);
  }
}

/** A limiter per account and model. Limits that were not given are learned from the provider's headers. */
export class Limiters {
  readonly #preset: ProviderPreset;
  readonly #given: Units | undefined;
  readonly #options: Omit<RateLimitOptions, 'limits'>;
  readonly #known = new Map<string, KeyLimits>();

  constructor(preset: ProviderPreset, given: Units | undefined, options: Omit<RateLimitOptions, 'limits'>) {
    this.#preset = preset;
    this.#given = given;
    this.#options = options;
  }

  /** Keeps a call within what is known of its limits. */
  readonly policy: Policy = (next, ctx) => this.#of(ctx.key)?.policy(next, ctx) ?? next(ctx);

  line(): WaitingCall[] {
    return [...this.#known.values()].flatMap((limits) => limits.line());
  }

  async stats(): Promise<Record<string, RateLimitStats>> {
    const entries = [...this.#known].map(async ([key, limits]) => [key, await limits.stats(key)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  /** What an answer's headers say flows into limits and shared state. Never fails: an answer that has come is not lost to a store that is down. */
  async report(ctx: CallContext, report: LimitReport): Promise<void> {
    if (report.limits !== undefined && this.#given === undefined) this.#adopt(ctx.key, report.limits);
    try {
      await this.#of(ctx.key)?.report(ctx, report);
    } catch {
      // The next answer reports again.
    }
  }

  /** The limits of a key; undefined while nothing is known about them. */
  #of(key: string): KeyLimits | undefined {
    return this.#known.get(key) ?? this.#learn(key, this.#given ?? this.#preset.defaults);
  }

  #adopt(key: string, limits: Units): void {
    const known = this.#known.get(key)?.units ?? this.#preset.defaults;
    const units = { ...known, ...limits };
    if (Object.entries(units).some(([name, value]) => this.#known.get(key)?.units[name] !== value))
      this.#learn(key, units);
  }

  #learn(key: string, units: Units): KeyLimits | undefined {
    const usable = Object.fromEntries(Object.entries(units).filter(([, value]) => value >= 1));
    if (Object.keys(usable).length === 0 || this.#preset.limits(usable).length === 0) return undefined;
    if (this.#known.size >= maxKeys) this.#known.delete(this.#known.keys().next().value as string);
    const known = new KeyLimits(this.#preset, usable, this.#options);
    this.#known.set(key, known);
    return known;
  }
}
