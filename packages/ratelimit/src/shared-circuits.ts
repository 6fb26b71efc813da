import { LRUCache } from 'lru-cache';
import type { Clock } from './clock.ts';
import type { CircuitState } from './instrumentation.ts';
import type { CircuitRecord, CircuitStore, MaybePromise } from './store.ts';
import type { StoreGate } from './store-gate.ts';

/** Options of {@link SharedCircuits}. */
export interface SharedCircuitsOptions {
  /** Works alone when there is no shared store, and while it is down. */
  readonly local: CircuitStore;
  readonly shared: CircuitStore | undefined;
  readonly gate: StoreGate | undefined;
  /** Precedes every key in the shared store. */
  readonly prefix: string;
  /** Milliseconds for which a look at the shared state is trusted. */
  readonly freshMs: number;
  readonly maxKeys: number;
  readonly clock: Clock;
  readonly onChange: (key: string, state: CircuitState, remote: boolean) => void;
}

interface Sight {
  readonly record: CircuitRecord;
  readonly at: number;
}

const closed: CircuitRecord = { state: 'closed', openFor: 0, epoch: 0 };

/** Circuits as this process sees them: the shared state, looked at once per `freshMs`, or its own while the store is down. */
export class SharedCircuits {
  readonly #options: SharedCircuitsOptions;
  readonly #sights: LRUCache<string, Sight>;
  readonly #looking = new Map<string, Promise<CircuitRecord>>();

  constructor(options: SharedCircuitsOptions) {
    this.#options = options;
    this.#sights = new LRUCache({ max: options.maxKeys });
  }

  /** The state as last seen. */
  seen(key: string): CircuitState {
    return this.#sighted(key)?.state ?? 'closed';
  }

  look(key: string): MaybePromise<CircuitRecord> {
    const { shared, local, clock, freshMs } = this.#options;
    if (shared === undefined) {
      // Without a failure there is no sight and no state: a healthy key is one failed lookup.
      return this.#sights.peek(key) === undefined ? closed : this.#note(key, local.read(key) as CircuitRecord, false);
    }
    const sight = this.#sights.get(key);
    if (sight !== undefined && clock.monotonic() - sight.at < freshMs) return aged(sight, clock.monotonic());
    const running = this.#looking.get(key);
    if (running !== undefined) return running;
    const look = this.#ask(key, (circuits, name) => circuits.read(name), true).finally(() => this.#looking.delete(key));
    this.#looking.set(key, look);
    return look;
  }

  async open(key: string, forMs: number): Promise<void> {
    const { local, shared } = this.#options;
    if (shared !== undefined) await local.open(key, forMs);
    await this.#ask(key, (circuits, name) => circuits.open(name, forMs), false);
  }

  async probe(
    key: string,
    id: string,
    max: number,
    leaseMs: number,
  ): Promise<{ readonly granted: boolean; readonly record: CircuitRecord }> {
    let granted = false;
    const record = await this.#ask(
      key,
      async (circuits, name) => {
        const answer = await circuits.probe(name, id, max, leaseMs);
        granted = answer.granted;
        return answer.record;
      },
      true,
      // Granted too late: the place is free for somebody else.
      (circuits, name) => circuits.report(name, id, undefined, 1, 0),
    );
    return { granted, record };
  }

  async report(key: string, id: string, ok: boolean | undefined, needed: number, openMs: number): Promise<void> {
    await this.#ask(key, (circuits, name) => circuits.report(name, id, ok, needed, openMs), false);
  }

  async #ask(
    key: string,
    question: (circuits: CircuitStore, name: string) => MaybePromise<CircuitRecord>,
    remote: boolean,
    undo?: (circuits: CircuitStore, name: string) => MaybePromise<CircuitRecord>,
  ): Promise<CircuitRecord> {
    const { shared, local, gate, prefix } = this.#options;
    if (shared === undefined || gate === undefined) return this.#note(key, await question(local, key), false);
    try {
      const onLate = undo && ((): void => void Promise.resolve(undo(shared, prefix + key)).catch(() => {}));
      return this.#note(key, await gate.ask(() => question(shared, prefix + key), onLate), remote);
    } catch {
      return this.#note(key, await question(local, key), false);
    }
  }

  #note(key: string, record: CircuitRecord, remote: boolean): CircuitRecord {
    const { clock, onChange, shared } = this.#options;
    const before = this.#sights.peek(key)?.record.state ?? 'closed';
    if (before !== record.state) onChange(key, record.state, remote);
    if (record.state === 'closed' && shared === undefined) this.#sights.delete(key);
    else this.#sights.set(key, { record, at: clock.monotonic() });
    return record;
  }

  #sighted(key: string): CircuitRecord | undefined {
    const sight = this.#sights.peek(key);
    return sight === undefined ? undefined : aged(sight, this.#options.clock.monotonic());
  }
}

/** An open circuit turns half-open by itself. */
function aged({ record, at }: Sight, now: number): CircuitRecord {
  if (record.state !== 'open') return record;
  const openFor = Math.max(0, record.openFor - (now - at));
  return openFor > 0 ? { ...record, openFor } : { ...record, state: 'half-open', openFor: 0 };
}
