/**
 * An exhaustive model checker for the record's state machine: it explores every interleaving of two executors, their crash, the end of a
 * lease, the end of the ttl, a sweep and an administrator, and checks what must hold whatever the order.
 */
import type { IdempotencyRecord, RecordKey } from '../../src/record.ts';
import type { BeginRequest } from '../../src/store.ts';
import type { Machine } from './machines.ts';

const key: RecordKey = { tenant: 't', operation: 'o', key: 'k' };
const lease = 10;
const ttl = 100;

/** How far an executor is. */
interface Executor {
  readonly fingerprint: string;
  readonly at: 'idle' | 'executing' | 'dead' | 'ended';
  readonly fence: number;
  /** Executions of this executor so far. */
  readonly runs: number;
}

/** One state of the whole system. */
interface World {
  readonly now: number;
  readonly record: IdempotencyRecord | undefined;
  readonly executors: readonly Executor[];
  /** What the specification remembers, for as long as the ttl says. */
  readonly spec: Spec;
  /** Events that may still happen. */
  readonly left: Readonly<Record<Event, number>>;
}

/** The abstract machine: who may write, and what is known to be finished. */
interface Spec {
  /** Fence that holds the right to write; 0 when nobody has. */
  readonly holder: number;
  readonly highestFence: number;
  /** The result that counts and until when; undefined before. */
  readonly result: { readonly value: string; readonly until: number } | undefined;
  /** Fingerprint that the key is bound to. */
  readonly fingerprint: string | undefined;
}

/** Things that happen to the system, each a limited number of times. */
type Event = 'crash' | 'leaseEnds' | 'ttlEnds' | 'sweep' | 'resolve';

/** What is explored. */
export interface Exploration {
  readonly machine: Machine;
  readonly onExpiredLease: 'takeover' | 'park';
  /** Fingerprints of the executors: the same, or different inputs under one key. */
  readonly fingerprints: readonly string[];
  /** Executions per executor. */
  readonly runs: number;
  readonly events: Readonly<Record<Event, number>>;
}

/** What was found. */
export interface Finding {
  /** Distinct states visited. */
  readonly states: number;
  /** The shortest-found path to a violation, and what it violates. */
  readonly violation: { readonly rule: string; readonly path: readonly string[] } | undefined;
}

class Violation extends Error {}

/** Visits every reachable state. */
export function explore(options: Exploration): Finding {
  const start: World = {
    now: 1000,
    record: undefined,
    executors: options.fingerprints.map((fingerprint) => ({ fingerprint, at: 'idle', fence: 0, runs: 0 })),
    spec: { holder: 0, highestFence: 0, result: undefined, fingerprint: undefined },
    left: options.events,
  };
  const seen = new Set([JSON.stringify(start)]);
  let frontier: { readonly world: World; readonly path: readonly string[] }[] = [{ world: start, path: [] }];
  while (frontier.length > 0) {
    const next: typeof frontier = [];
    for (const { world, path } of frontier) {
      for (const [name, step] of moves(options, world)) {
        try {
          const reached = step();
          const id = JSON.stringify(reached);
          if (seen.has(id)) continue;
          seen.add(id);
          next.push({ world: reached, path: [...path, name] });
        } catch (error) {
          if (!(error instanceof Violation)) throw error;
          return { states: seen.size, violation: { rule: error.message, path: [...path, name] } };
        }
      }
    }
    frontier = next;
  }
  return { states: seen.size, violation: undefined };
}

type Move = readonly [name: string, step: () => World];

function moves(options: Exploration, world: World): Move[] {
  const possible: Move[] = [];
  world.executors.forEach((executor, index) => {
    const name = `executor ${index + 1}`;
    if (executor.at === 'idle' && executor.runs < options.runs) {
      possible.push([`${name} begins`, () => begin(options, world, index)]);
    }
    if (executor.at === 'executing') {
      possible.push([`${name} extends`, () => extend(options, world, index)]);
      possible.push([`${name} checkpoints`, () => checkpoint(options, world, index)]);
      possible.push([`${name} completes`, () => complete(options, world, index)]);
      possible.push([`${name} releases`, () => release(options, world, index)]);
      if (world.left.crash > 0) {
        possible.push([
          `${name} crashes`,
          () => ({ ...spend(world, 'crash'), executors: moved(world, index, { at: 'dead' }) }),
        ]);
      }
    }
  });
  if (world.left.leaseEnds > 0) possible.push(['a lease ends', () => pass(spend(world, 'leaseEnds'), lease + 1)]);
  if (world.left.ttlEnds > 0) possible.push(['the ttl ends', () => pass(spend(world, 'ttlEnds'), ttl + lease + 1)]);
  if (world.left.sweep > 0) possible.push(['a sweep', () => sweep(options, spend(world, 'sweep'))]);
  if (world.left.resolve > 0 && world.record?.state === 'parked') {
    possible.push(['an administrator gives it back', () => giveBack(options, spend(world, 'resolve'))]);
  }
  return possible;
}

function begin({ machine, onExpiredLease }: Exploration, world: World, index: number): World {
  const { fingerprint } = executorOf(world, index);
  const request: BeginRequest = { fingerprint, owner: `e${index}`, onExpiredLease, lease, ttl };
  const { result, write } = machine.begin(world.record, key, request, world.now);
  const { spec } = world;
  const remembered = spec.result && spec.result.until > world.now;
  if (remembered && spec.fingerprint !== fingerprint)
    check(result.status === 'mismatch', 'another input is a mismatch');
  if (remembered && spec.fingerprint === fingerprint) {
    check(result.status === 'existing', 'a finished operation is not executed again');
    check(result.record.result === spec.result?.value, 'a replay is the result that counts');
  }
  const record = write ?? world.record;
  if (result.status === 'mismatch') {
    check(result.record.fingerprint !== fingerprint, 'the same input is no mismatch');
    return { ...world, record, executors: moved(world, index, { at: 'ended' }) };
  }
  if (result.status === 'existing') {
    check(result.record.fingerprint === fingerprint, 'another input is a mismatch in every state');
    const holder = result.record.state === 'running' ? spec.holder : 0;
    return {
      ...world,
      record,
      spec: { ...spec, holder },
      executors: moved(world, index, { runs: executorOf(world, index).runs + 1 }),
    };
  }
  const { fence } = result.record;
  check(fence > spec.highestFence, 'fences grow, also after a record was forgotten');
  const standing = world.record && !machine.isExpired(world.record, world.now) ? world.record : undefined;
  check(!standing || standing.fingerprint === fingerprint, 'a key that is remembered is bound to its input');
  const held = standing?.state === 'running' ? standing : undefined;
  if (held) check(held.leaseUntil <= world.now, 'nobody is granted a key whose lease is alive');
  if (held) check(held.onExpiredLease === 'takeover', 'a dead execution that must be parked is not taken over');
  return {
    ...world,
    record,
    spec: { holder: fence, highestFence: fence, result: undefined, fingerprint },
    executors: moved(world, index, { at: 'executing', fence, runs: executorOf(world, index).runs + 1 }),
  };
}

function extend({ machine }: Exploration, world: World, index: number): World {
  const { fence } = executorOf(world, index);
  const next = machine.extend(world.record, fence, { lease, ttl }, world.now);
  mayWrite(world, fence, next !== undefined, 'extends');
  return next ? { ...world, record: next } : lost(world, index);
}

function checkpoint({ machine }: Exploration, world: World, index: number): World {
  const { fence } = executorOf(world, index);
  const next = machine.checkpoint(world.record, fence, `phase of ${index}`, String(fence), world.now);
  mayWrite(world, fence, next !== undefined, 'checkpoints');
  return next ? { ...world, record: next } : lost(world, index);
}

function complete({ machine }: Exploration, world: World, index: number): World {
  const { fence } = executorOf(world, index);
  const value = `result of ${fence}`;
  const next = machine.complete(world.record, fence, value, ttl, world.now);
  mayWrite(world, fence, next !== undefined, 'completes');
  if (!next) return lost(world, index);
  const spec = { ...world.spec, holder: 0, result: { value, until: world.now + ttl } };
  return { ...world, record: next, spec, executors: moved(world, index, { at: 'idle' }) };
}

function release({ machine }: Exploration, world: World, index: number): World {
  const { fence } = executorOf(world, index);
  const next = machine.release(world.record, fence, 'retryable', ttl, world.now);
  mayWrite(world, fence, next !== undefined, 'releases');
  if (next === undefined) return lost(world, index);
  const record = next === 'deleted' ? undefined : next;
  return { ...world, record, spec: { ...world.spec, holder: 0 }, executors: moved(world, index, { at: 'idle' }) };
}

function sweep({ machine }: Exploration, world: World): World {
  if (!world.record) return world;
  const next = machine.sweep(world.record, world.now);
  const { spec } = world;
  if (!next) {
    check(!(spec.result && spec.result.until > world.now), 'a sweep keeps what is remembered');
    check(world.record.leaseUntil <= world.now, 'a sweep keeps what lives');
    check(world.record.state !== 'parked', 'a sweep keeps what is parked');
  }
  const holder = next?.state === 'running' ? spec.holder : 0;
  return { ...world, record: next, spec: { ...spec, holder } };
}

function giveBack({ machine }: Exploration, world: World): World {
  const { record } = world;
  const next = record && machine.resolve(record, record.fence, { state: 'retryable', ttl }, world.now);
  check(next?.state === 'retryable', 'an administrator can give a parked record back');
  return { ...world, record: next };
}

/** A write has an effect exactly when the fence is the last one granted, its execution has not ended, and the record is remembered. */
function mayWrite(world: World, fence: number, written: boolean, what: string): void {
  if (written) check(fence === world.spec.holder, `a zombie's write has no effect (it ${what})`);
  const alive = world.record !== undefined && world.record.leaseUntil > world.now;
  if (!written && alive) check(fence !== world.spec.holder, `the executor that holds the lease ${what}`);
}

function lost(world: World, index: number): World {
  return { ...world, executors: moved(world, index, { at: 'idle' }) };
}

/** Time passes; a record that is past its time no longer gives anybody the right to write. */
function pass(world: World, ms: number): World {
  return { ...world, now: world.now + ms };
}

function spend(world: World, event: Event): World {
  return { ...world, left: { ...world.left, [event]: world.left[event] - 1 } };
}

function moved(world: World, index: number, change: Partial<Executor>): readonly Executor[] {
  return world.executors.map((executor, at) => (at === index ? { ...executor, ...change } : executor));
}

function executorOf(world: World, index: number): Executor {
  return world.executors[index] as Executor;
}

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Violation(rule);
}
