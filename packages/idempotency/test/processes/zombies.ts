import { setTimeout as sleep } from 'node:timers/promises';
import { createIdempotency, IdempotencyError, type IdempotencyStore } from '../../src/index.ts';
import { type Child, type Step, type StoreAddress, startChild } from './protocol.ts';

/** One way to lose an executor. */
export interface ZombieCase {
  readonly policy: 'takeover' | 'park';
  /** `kill`: SIGKILL. `stop`: SIGSTOP beyond the lease, then SIGCONT. */
  readonly how: 'kill' | 'stop';
  readonly step: Step;
}

/** What came of it. */
export interface ZombieOutcome {
  /** What the next caller got: a value with or without execution, or the code of its error. */
  readonly next: string;
  /** What the zombie itself reported at its end; undefined for a killed one. */
  readonly zombie: string | undefined;
  /** What the record says when everybody has ended. */
  readonly final: unknown;
  /** Times that the phase's work was done, by both. */
  readonly phases: number;
}

const lease = 400;

/** Loses an executor in another process, calls again, and lets the zombie go on if it can. */
export async function loseExecutor(
  address: StoreAddress,
  store: IdempotencyStore<never>,
  { policy, how, step }: ZombieCase,
): Promise<ZombieOutcome> {
  await using child = await startChild(address);
  const key = `${policy} ${how} ${step} ${Math.random()}`;
  const { pid } = child.process;
  child.send({ do: 'execute', key, policy, lease, pauseAt: step });
  await child.next('at');
  process.kill(pid as number, how === 'kill' ? 'SIGKILL' : 'SIGSTOP');
  await sleep(lease * 1.5);
  let phases = 0;
  const survivor = createIdempotency({ store, sweepInterval: false });
  const request = { tenant: 't', operation: 'execute', key, onExpiredLease: policy };
  const next = await survivor
    .run(request, async ({ phase }) => {
      await phase('first', () => {
        phases += 1;
      });
      return 'survivor';
    })
    .then(
      ({ value, replayed }) => `${replayed ? 'replayed' : 'executed'} ${value === 'survivor' ? value : 'zombie'}`,
      (error: unknown) => (error instanceof IdempotencyError ? error.code : String(error)),
    );
  const zombie = how === 'stop' ? await goOn(child) : undefined;
  const record = await survivor.peek(request);
  const before = child.reports.filter((report) => report.is === 'effect' && report.name === 'first').length;
  const final = record?.state === 'done' ? (record.value === 'survivor' ? 'survivor' : 'zombie') : record?.state;
  return { next, zombie, final, phases: phases + before };
}

async function goOn(child: Child): Promise<string> {
  process.kill(child.process.pid as number, 'SIGCONT');
  const { outcome } = await child.next('ended');
  return outcome.startsWith('value') ? 'value' : outcome;
}

/** What must come of it. */
export function expectedOutcome({ policy, how, step }: ZombieCase): Omit<ZombieOutcome, 'phases'> {
  if (step === 'completed') {
    return { next: 'replayed zombie', zombie: how === 'stop' ? 'value' : undefined, final: 'zombie' };
  }
  const zombie = how === 'stop' ? 'ERR_LEASE_LOST' : undefined;
  if (policy === 'park') return { next: 'ERR_OUTCOME_UNKNOWN', zombie, final: 'parked' };
  return { next: 'executed survivor', zombie, final: 'survivor' };
}
