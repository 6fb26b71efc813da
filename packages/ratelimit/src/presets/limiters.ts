import type { CallContext } from '../policy.ts';
import { type RateLimit, type RateLimitOptions, rateLimit } from '../rate-limit.ts';
import type { LimitReport, ProviderPreset } from './preset.ts';

type Units = Readonly<Record<string, number>>;

interface Known {
  readonly units: Units;
  readonly limit: RateLimit;
}

/** Keys remembered at most; the oldest is forgotten. */
const maxKeys = 1_000;

/** A limiter per account and model. Limits that were not given are learned from the provider's headers. */
export class Limiters {
  readonly #preset: ProviderPreset;
  readonly #given: Units | undefined;
  readonly #options: Omit<RateLimitOptions, 'limits'>;
  readonly #known = new Map<string, Known>();

  constructor(preset: ProviderPreset, given: Units | undefined, options: Omit<RateLimitOptions, 'limits'>) {
    this.#preset = preset;
    this.#given = given;
    this.#options = options;
  }

  /** The limiter of a key; undefined while nothing is known about its limits. */
  get(key: string): RateLimit | undefined {
    return (this.#known.get(key) ?? this.#learn(key, this.#given ?? this.#preset.defaults))?.limit;
  }

  all(): IterableIterator<[string, Known]> {
    return this.#known.entries();
  }

  /** What an answer's headers say flows into limits and shared state. Never fails: an answer that has come is not lost to a store that is down. */
  async report(ctx: CallContext, { limits, remaining, pauseFor }: LimitReport): Promise<void> {
    if (limits !== undefined && this.#given === undefined) this.#adopt(ctx.key, limits);
    const limit = this.get(ctx.key);
    if (limit === undefined) return;
    try {
      if (remaining !== undefined) await limit.report(ctx, remaining);
      if (pauseFor !== undefined) await limit.pause(ctx, pauseFor);
    } catch {
      // The next answer reports again.
    }
  }

  #adopt(key: string, limits: Units): void {
    const known = this.#known.get(key)?.units ?? this.#preset.defaults;
    const units = { ...known, ...limits };
    if (Object.entries(units).some(([name, value]) => this.#known.get(key)?.units[name] !== value))
      this.#learn(key, units);
  }

  #learn(key: string, units: Units): Known | undefined {
    const usable = Object.fromEntries(Object.entries(units).filter(([, value]) => value >= 1));
    const limits = this.#preset.limits(usable);
    if (Object.keys(usable).length === 0 || limits.length === 0) return undefined;
    if (this.#known.size >= maxKeys) this.#known.delete(this.#known.keys().next().value as string);
    const known = { units: usable, limit: rateLimit({ ...this.#options, limits }) };
    this.#known.set(key, known);
    return known;
  }
}
