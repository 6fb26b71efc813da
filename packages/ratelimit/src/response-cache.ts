import { randomUUID } from 'node:crypto';
import { CachedFailure, type Codec, decodeEntry, type Entry, encodeEntry, jsonCodec } from './cache-entry.ts';
import { digest } from './canonical.ts';
import { type Clock, sleep, systemClock } from './clock.ts';
import { type Duration, toMilliseconds } from './duration.ts';
import { statusOf } from './error-shape.ts';
import type { CacheEvent, RateLimitInstrumentation } from './instrumentation.ts';
import { MemoryCache } from './memory/cache.ts';
import type { CallContext, Policy } from './policy.ts';
import type { Store } from './store.ts';
import { StoreGate } from './store-gate.ts';

/** Options of {@link responseCache}. */
export interface ResponseCacheOptions {
  /** The key of a call, or undefined when it must not be cached; {@link promptKey} makes one from a request. */
  readonly key: (ctx: CallContext) => string | undefined;
  /** How long an answer is fresh. @default '1h' */
  readonly ttl?: Duration;
  /** How long after that an old answer is given while a new one is fetched in the background. @default 0 */
  readonly staleWhileRevalidate?: Duration;
  /** How long after that an old answer is given when the call fails. @default 0 */
  readonly staleIfError?: Duration;
  /** How long a failure that repeating cannot cure (4xx except 401, 403, 408, 409, 425, 429) is remembered. @default 0 */
  readonly negativeTtl?: Duration;
  /** `tenant`: answers never cross tenants. `shared`: for prompts that hold nobody's data. @default 'tenant' */
  readonly scope?: 'tenant' | 'shared';
  /** Second tier, shared by processes. @default none */
  readonly store?: Pick<Store, 'name' | 'cache'>;
  /** Bytes that answers may take in this process. @default 64 MiB */
  readonly maxBytes?: number;
  /** Answers larger than this are not kept. @default 4 MiB */
  readonly maxEntryBytes?: number;
  /** Turns an answer into bytes and back. @default JSON */
  readonly codec?: Codec;
  /** How long other processes wait for the one that fetches, before they fetch themselves. @default '30s' */
  readonly lockLease?: Duration;
  /** Time after which an unanswered store counts as down: calls then go without the second tier. @default 50 */
  readonly storeTimeout?: Duration;
  /** @default 'responseCache' */
  readonly name?: string;
  /** @default none */
  readonly instrumentation?: RateLimitInstrumentation;
  /** @default systemClock */
  readonly clock?: Clock;
}

/** The policy made by {@link responseCache}. */
export interface ResponseCache extends Policy {
  /** Forgets an answer. */
  delete(key: string, tenant?: string): Promise<void>;
}

/**
 * Answers equal calls from memory. Tenants are kept apart unless told otherwise; concurrent equal calls are made once, in this process and across
 * processes; a 429 is never kept.
 *
 * @example
 * ```ts
 * const cached = responseCache({ key: (ctx) => ctx.key, ttl: '1h', staleIfError: '1d' });
 * const answer = await wrap(cached)(() => ask(request), { key: promptKey(request), tenant: 'acme' });
 * ```
 */
export function responseCache(options: ResponseCacheOptions): ResponseCache {
  const engine = new CacheEngine(options);
  const policy: Policy = (next, ctx) => engine.run(next, ctx);
  return Object.assign(policy, { delete: (key: string, tenant?: string) => engine.delete(key, tenant) });
}

interface Flight {
  readonly leader: CallContext;
  readonly entry: Promise<Entry>;
}

type Next = (ctx: CallContext) => Promise<unknown>;

/** Pause between two looks for the answer that another process fetches. */
const pollMs = 25;

class CacheEngine {
  readonly #options: ResponseCacheOptions;
  readonly #clock: Clock;
  readonly #codec: Codec;
  readonly #memory: MemoryCache;
  readonly #gate: StoreGate | undefined;
  readonly #flights = new Map<string, Flight>();
  readonly #freshMs: number;
  readonly #staleMs: number;
  readonly #keepMs: number;
  readonly #negativeMs: number;
  readonly #lockMs: number;

  constructor(options: ResponseCacheOptions) {
    const { clock = systemClock, store, instrumentation } = options;
    this.#options = options;
    this.#clock = clock;
    this.#codec = options.codec ?? jsonCodec;
    this.#memory = new MemoryCache(clock, options.maxBytes ?? 64 * 2 ** 20);
    const timeoutMs = toMilliseconds(options.storeTimeout ?? 50, 'storeTimeout');
    this.#gate = store && new StoreGate({ store: store.name, timeoutMs, clock, instrumentation });
    this.#freshMs = toMilliseconds(options.ttl ?? '1h', 'ttl');
    this.#staleMs = this.#freshMs + toMilliseconds(options.staleWhileRevalidate ?? 0, 'staleWhileRevalidate');
    const errorMs = toMilliseconds(options.staleIfError ?? 0, 'staleIfError');
    this.#keepMs = Math.max(this.#staleMs, this.#freshMs + errorMs);
    this.#negativeMs = toMilliseconds(options.negativeTtl ?? 0, 'negativeTtl');
    this.#lockMs = toMilliseconds(options.lockLease ?? '30s', 'lockLease');
  }

  async run<T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext): Promise<T> {
    const key = this.#options.key(ctx);
    if (key === undefined) return next(ctx);
    const name = this.#name(key, ctx.tenant);
    const entry = await this.#find(name);
    const age = entry === undefined ? Number.POSITIVE_INFINITY : this.#clock.now() - entry.storedAt;
    if (entry?.failure !== undefined && age < this.#negativeMs) {
      this.#tell(ctx, 'negative');
      throw new CachedFailure(entry.failure);
    }
    const usable = entry?.failure === undefined ? entry : undefined;
    if (usable !== undefined && age < this.#freshMs) return this.#answer<T>(ctx, usable, 'hit');
    if (usable !== undefined && age < this.#staleMs) {
      // The caller has its answer: what it does next does not end the refresh.
      const detached = ctx.derive({ signal: new AbortController().signal, deadline: Number.POSITIVE_INFINITY });
      this.#fly(name, next, detached).catch(() => {});
      return this.#answer<T>(ctx, usable, 'stale');
    }
    return this.#miss(name, next, ctx, usable);
  }

  async delete(key: string, tenant: string | undefined): Promise<void> {
    const name = this.#name(key, tenant);
    this.#memory.delete(name);
    await this.#shared((cache) => cache.delete(name));
  }

  async #miss<T>(
    name: string,
    next: (ctx: CallContext) => Promise<T>,
    ctx: CallContext,
    stale: Entry | undefined,
  ): Promise<T> {
    const joined = this.#flights.has(name);
    this.#tell(ctx, joined ? 'joined' : 'miss');
    try {
      const entry = await this.#fly(name, next, ctx);
      return this.#codec.decode(entry.value) as T;
    } catch (error) {
      if (stale === undefined || statusOf(error) === 401 || statusOf(error) === 403) throw error;
      return this.#answer<T>(ctx, stale, 'stale-error');
    }
  }

  /** One fetch per key: in this process by a shared promise, across processes by a lock in the store. */
  #fly(name: string, next: Next, ctx: CallContext): Promise<Entry> {
    const running = this.#flights.get(name);
    if (running !== undefined) return this.#join(name, running, next, ctx);
    const entry = this.#fetch(name, next, ctx).finally(() => this.#flights.delete(name));
    this.#flights.set(name, { leader: ctx, entry });
    return entry;
  }

  /** Who joins may leave alone; when the one who fetches is aborted, the next one fetches. */
  async #join(name: string, flight: Flight, next: Next, ctx: CallContext): Promise<Entry> {
    try {
      return await orAborted(flight.entry, ctx.signal);
    } catch (error) {
      if (ctx.aborted || !flight.leader.aborted) throw error;
      return this.#fly(name, next, ctx);
    }
  }

  async #fetch(name: string, next: Next, ctx: CallContext): Promise<Entry> {
    const id = randomUUID();
    const elsewhere = await this.#waitForOthers(name, id, ctx);
    if (elsewhere !== undefined) return elsewhere;
    try {
      const value = this.#codec.encode(await next(ctx));
      const entry: Entry = { storedAt: this.#clock.now(), value: await value };
      await this.#keep(name, entry, this.#keepMs);
      return entry;
    } catch (error) {
      if (this.#negativeMs > 0 && isFinal(error)) await this.#keepFailure(name, error);
      throw error;
    } finally {
      await this.#shared((cache) => cache.unlock(`${name}/lock`, id));
    }
  }

  /** Waits while another process fetches; answers its entry, or undefined when it is our turn to fetch. */
  async #waitForOthers(name: string, id: string, ctx: CallContext): Promise<Entry | undefined> {
    if (this.#gate === undefined) return undefined;
    const startedAt = this.#clock.now();
    for (;;) {
      const locked = await this.#shared((cache) => cache.lock(`${name}/lock`, id, this.#lockMs));
      if (locked === undefined || locked || this.#clock.now() - startedAt > this.#lockMs) {
        const entry = await this.#find(name);
        const fresh =
          entry !== undefined && entry.failure === undefined && this.#clock.now() - entry.storedAt < this.#freshMs;
        if (fresh) await this.#shared((cache) => cache.unlock(`${name}/lock`, id));
        return fresh ? entry : undefined;
      }
      await sleep(this.#clock, pollMs, ctx);
    }
  }

  async #find(name: string): Promise<Entry | undefined> {
    const near = this.#memory.get(name);
    if (near !== undefined) return decodeEntry(near);
    const far = await this.#shared((cache) => cache.get(name));
    if (far === undefined) return undefined;
    const entry = decodeEntry(far);
    const left = (entry.failure === undefined ? this.#keepMs : this.#negativeMs) - (this.#clock.now() - entry.storedAt);
    if (left > 0) this.#memory.set(name, far, left);
    return entry;
  }

  async #keep(name: string, entry: Entry, forMs: number): Promise<void> {
    const bytes = encodeEntry(entry);
    if (forMs <= 0 || bytes.byteLength > (this.#options.maxEntryBytes ?? 4 * 2 ** 20)) return;
    this.#memory.set(name, bytes, forMs);
    await this.#shared((cache) => cache.set(name, bytes, forMs));
  }

  async #keepFailure(name: string, error: unknown): Promise<void> {
    const message = error instanceof Error ? error.message : String(error);
    const failure = { status: statusOf(error) ?? 400, message };
    await this.#keep(name, { storedAt: this.#clock.now(), value: new Uint8Array(), failure }, this.#negativeMs);
  }

  /** The second tier is a help, never a condition: whatever fails there counts as absent. */
  async #shared<T>(question: (cache: Store['cache']) => T | Promise<T>): Promise<T | undefined> {
    const cache = this.#options.store?.cache;
    if (cache === undefined || this.#gate === undefined) return undefined;
    try {
      return await this.#gate.ask(() => question(cache));
    } catch {
      return undefined;
    }
  }

  #answer<T>(ctx: CallContext, entry: Entry, outcome: CacheEvent['outcome']): T {
    this.#tell(ctx, outcome);
    return this.#codec.decode(entry.value) as T;
  }

  #name(key: string, tenant: string | undefined): string {
    const { scope = 'tenant', name = 'responseCache' } = this.#options;
    return `${name}/${digest(JSON.stringify([scope === 'shared' ? null : (tenant ?? ''), key]))}`;
  }

  #tell(ctx: CallContext, outcome: CacheEvent['outcome']): void {
    const { instrumentation, name = 'responseCache' } = this.#options;
    instrumentation?.onCache?.({ policy: name, tenant: ctx.tenant, outcome });
  }
}

function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}

const curable = new Set([401, 403, 408, 409, 425, 429]);

function isFinal(error: unknown): boolean {
  const status = statusOf(error);
  return status !== undefined && status >= 400 && status < 500 && !curable.has(status);
}
