import type { Clock } from '../clock.ts';
import type { CircuitRecord, CircuitStore } from '../store.ts';

/** State of a circuit that is not closed. */
export interface Circuit {
  openUntil: number;
  epoch: number;
  successes: number;
  readonly probes: Map<string, number>;
}

const closed: CircuitRecord = { state: 'closed', openFor: 0, epoch: 0 };

/** Circuits in this process; only those that are not closed take memory. */
export class MemoryCircuits implements CircuitStore {
  readonly #clock: Clock;
  readonly #circuits: Map<string, Circuit>;

  /** @param circuits - where the state lies; another store may bring its own for one operation */
  constructor(clock: Clock, circuits: Map<string, Circuit> = new Map()) {
    this.#clock = clock;
    this.#circuits = circuits;
  }

  read(key: string): CircuitRecord {
    const circuit = this.#circuits.get(key);
    return circuit === undefined ? closed : this.#record(circuit);
  }

  open(key: string, forMs: number): CircuitRecord {
    const epoch = Math.max((this.#circuits.get(key)?.epoch ?? 0) + 1, Math.floor(this.#clock.monotonic() * 1000));
    const circuit = { openUntil: this.#clock.monotonic() + forMs, epoch, successes: 0, probes: new Map() };
    this.#circuits.set(key, circuit);
    return this.#record(circuit);
  }

  probe(key: string, id: string, max: number, leaseMs: number): { granted: boolean; record: CircuitRecord } {
    const circuit = this.#circuits.get(key);
    if (circuit === undefined) return { granted: false, record: closed };
    const now = this.#clock.monotonic();
    for (const [probe, expires] of circuit.probes) if (expires <= now) circuit.probes.delete(probe);
    const granted = now >= circuit.openUntil && circuit.probes.size < max;
    if (granted) circuit.probes.set(id, now + leaseMs);
    return { granted, record: this.#record(circuit) };
  }

  report(key: string, id: string, ok: boolean | undefined, needed: number, openMs: number): CircuitRecord {
    const circuit = this.#circuits.get(key);
    if (circuit === undefined) return closed;
    if (!circuit.probes.delete(id) || ok === undefined) return this.#record(circuit);
    if (!ok) return this.open(key, openMs);
    circuit.successes += 1;
    if (circuit.successes < needed) return this.#record(circuit);
    this.#circuits.delete(key);
    return closed;
  }

  #record({ openUntil, epoch }: Circuit): CircuitRecord {
    const openFor = Math.max(0, openUntil - this.#clock.monotonic());
    return { state: openFor > 0 ? 'open' : 'half-open', openFor, epoch };
  }
}
