import assert from 'node:assert/strict';
import * as machine from '../machine.ts';
import type { IdempotencyRecord, RecordKey } from '../record.ts';
import { asking, brief, type Case, long, type Subject } from './harness.ts';

/** Steps per schedule. */
const length = 30;

/** What is compared after each step: everything but absolute times and fences. */
type Shape = readonly unknown[];

/** Random schedules of every step, each compared with the reference machine; a failure names the seed. */
export function schedules(define: Case, count: number): void {
  for (let seed = 1; seed <= count; seed += 1) {
    define(`schedule ${seed} agrees with the machine`, (subject) => runSchedule(subject, seed));
  }
}

async function runSchedule(subject: Subject, seed: number): Promise<void> {
  const random = generator(seed);
  const pair = new Pair(subject);
  const trace: string[] = [];
  for (let step = 0; step < length; step += 1) {
    const name = pick(random, stepNames);
    trace.push(name);
    const { actual, expected } = await steps[name](pair, random);
    assert.deepEqual(actual, expected, `seed ${seed}, after ${trace.join(', ')}`);
  }
}

/** The store under test and the machine, moved together. */
class Pair {
  readonly subject: Subject;
  readonly key: RecordKey;
  /** The machine's record and its time. */
  record: IdempotencyRecord | undefined;
  now = 1_000_000;
  /** Fences handed out so far, by the machine and by the store, in the same order. */
  readonly fences: { readonly model: number; readonly store: number }[] = [];

  constructor(subject: Subject) {
    this.subject = subject;
    this.key = subject.key;
  }

  /** A fence that was handed out, mostly the newest; or one that never was. */
  fence(random: () => number): { readonly model: number; readonly store: number } {
    const index = random() < 0.6 ? this.fences.length - 1 : Math.floor(random() * this.fences.length);
    return this.fences[index] ?? { model: 7, store: 7 };
  }

  /** Applies a step of the machine that a stale fence refuses. */
  move(next: IdempotencyRecord | undefined): boolean {
    if (next) this.record = next;
    return next !== undefined;
  }

  async pass(ms: number): Promise<void> {
    this.now += ms + 20;
    await this.subject.pass(ms);
  }
}

type Step = (pair: Pair, random: () => number) => Promise<{ readonly actual: unknown; readonly expected: unknown }>;

const steps = {
  begin: async (pair, random) => {
    const request = asking({
      fingerprint: random() < 0.85 ? 'fp-1' : 'fp-2',
      onExpiredLease: random() < 0.7 ? 'takeover' : 'park',
    });
    const { result, write } = machine.begin(pair.record, pair.key, request, pair.now);
    if (write) pair.record = write;
    const actual = await pair.subject.store.begin(pair.key, request);
    if (result.status === 'acquired') pair.fences.push({ model: result.record.fence, store: actual.record.fence });
    const taken = (answer: typeof result): unknown => answer.status === 'acquired' && answer.takenOver;
    return {
      actual: [actual.status, taken(actual), ...shape(actual.record)],
      expected: [result.status, taken(result), ...shape(result.record)],
    };
  },
  die: async (pair, random) => {
    const fence = pair.fence(random);
    const times = { lease: 1, ttl: random() < 0.8 ? long : 1 };
    const expected = pair.move(machine.extend(pair.record, fence.model, times, pair.now));
    const actual = await pair.subject.other.extend(pair.key, fence.store, times);
    await pair.pass(2);
    return { actual, expected };
  },
  checkpoint: async (pair, random) => {
    const fence = pair.fence(random);
    const phase = pick(random, ['a', 'b']);
    const value = String(Math.floor(random() * 100));
    const expected = pair.move(machine.checkpoint(pair.record, fence.model, phase, value, pair.now));
    return { actual: await pair.subject.store.checkpoint(pair.key, fence.store, phase, value), expected };
  },
  complete: async (pair, random) => {
    const fence = pair.fence(random);
    const ttl = random() < 0.7 ? long : brief;
    const result = String(random());
    const expected = pair.move(machine.complete(pair.record, fence.model, result, ttl, pair.now));
    const actual = await pair.subject.other.complete(pair.key, fence.store, result, ttl);
    if (ttl === brief) await pair.pass(brief);
    return { actual, expected };
  },
  release: async (pair, random) => {
    const fence = pair.fence(random);
    const state = random() < 0.7 ? 'retryable' : 'parked';
    const expected = pair.move(machine.release(pair.record, fence.model, state, long, pair.now));
    return { actual: await pair.subject.store.release(pair.key, fence.store, state, long), expected };
  },
  resolve: async (pair, random) => {
    const fence = pair.fence(random);
    const resolution =
      random() < 0.5
        ? ({ state: 'done', result: 'by hand', ttl: long } as const)
        : ({ state: 'retryable', ttl: long } as const);
    const expected = pair.move(machine.resolve(pair.record, fence.model, resolution, pair.now));
    return { actual: await pair.subject.other.resolve(pair.key, fence.store, resolution), expected };
  },
  sweep: async (pair) => {
    if (pair.record) pair.record = machine.sweep(pair.record, pair.now);
    await pair.subject.store.sweep(1000);
    return { actual: [], expected: [] };
  },
  read: async (pair) => {
    const live = pair.record && !machine.isExpired(pair.record, pair.now) ? pair.record : undefined;
    const actual = await pair.subject.other.read(pair.key);
    return { actual: actual && shape(actual), expected: live && shape(live) };
  },
} satisfies Readonly<Record<string, Step>>;

const stepNames: readonly (keyof typeof steps)[] = [
  'begin',
  'begin',
  'begin',
  'die',
  'checkpoint',
  'complete',
  'release',
  'resolve',
  'sweep',
  'read',
];

function shape({ state, fingerprint, attempt, onExpiredLease, phases, result }: IdempotencyRecord): Shape {
  return [state, fingerprint, attempt, onExpiredLease, phases, result];
}

function pick<T>(random: () => number, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}

/** Mulberry32 (T. Ettinger, public domain): the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
