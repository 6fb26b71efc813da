import assert from 'node:assert/strict';
import type { IdempotencyRecord, RecordKey } from '../record.ts';
import type { BeginRequest, BeginResult, IdempotencyStore } from '../store.ts';

/** The two functions of a test framework that the suite needs: those of vitest, jest, mocha, node:test. */
export interface TestFunctions {
  describe(name: string, define: () => void): void;
  test(name: string, run: () => Promise<void>): void;
}

/** The part of a store that the suite proves; what shares a transaction with the caller's rows is each store's own to test. */
export type TestedStore = Omit<IdempotencyStore<unknown>, 'transaction' | 'within'>;

/** What is to be proven. */
export interface ConformanceOptions {
  /** Name of the store, for the titles. */
  readonly name: string;
  /**
   * Opens the store for one test. Several calls must share the same records where the store is shared; the suite uses a tenant of its own
   * per test, so that records need not be deleted in between.
   */
  readonly open: () => Promise<TestedStore> | TestedStore;
  /**
   * Lets time pass for the store.
   * @default waits for it
   */
  readonly advance?: (ms: number) => Promise<void>;
  /**
   * Random schedules compared with the reference machine.
   * @default 40
   */
  readonly schedules?: number;
}

/** What each test gets. */
export interface Subject {
  readonly store: TestedStore;
  /** The same records through another handle. */
  readonly other: TestedStore;
  /** A key that no other test uses. */
  readonly key: RecordKey;
  /** Makes leases and times to live of at most `ms` run out. */
  pass(ms: number): Promise<void>;
}

/** Defines one test. */
export type Case = (title: string, run: (subject: Subject) => Promise<void>) => void;

/** Longer than any test. */
export const long = 3_600_000;

/** Runs out as soon as `pass(brief)` has been called. */
export const brief = 40;

/** A request with long times. */
export const asking = (changes: Partial<BeginRequest> = {}): BeginRequest => ({
  fingerprint: 'fp-1',
  owner: 'executor-1',
  onExpiredLease: 'takeover',
  lease: long,
  ttl: long,
  ...changes,
});

/** The record of a begin that must have been granted. */
export function granted(result: BeginResult): IdempotencyRecord {
  assert.equal(result.status, 'acquired', 'begin must grant the key');
  return result.record;
}

/** Makes the function that defines tests over one store. */
export function caseDefiner({ test }: TestFunctions, options: ConformanceOptions): Case {
  const advance = options.advance ?? ((ms) => new Promise<void>((resolve) => setTimeout(resolve, ms)));
  return (title, run) =>
    test(title, async () => {
      const store = await options.open();
      const other = store.capabilities.shared ? await options.open() : store;
      const tenant = `t-${Math.random().toString(36).slice(2)}`;
      try {
        await run({
          store,
          other,
          key: { tenant, operation: 'POST /orders', key: 'k:1 *%"[?]' },
          // A little more: clocks of the store and of this process need not tick together.
          pass: (ms) => advance(ms + 20),
        });
      } finally {
        await store.close();
        if (other !== store) await other.close();
      }
    });
}
