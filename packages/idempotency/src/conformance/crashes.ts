import assert from 'node:assert/strict';
import { OutcomeUnknownError } from '../errors.ts';
import { createIdempotency } from '../idempotency.ts';
import type { ExecutionContext } from '../options.ts';
import type { IdempotencyStore } from '../store.ts';
import { type Case, long, type TestedStore } from './harness.ts';

/** The calls of one execution with one phase, in their order. */
const calls = ['begin', 'checkpoint', 'complete'] as const;

/** Long enough for the run before its crash, short enough to wait for. */
const lease = 150;

/** An executor dies before or after each of its calls to the store; the next one does what the policy says. */
export function crashes(define: Case): void {
  for (const call of calls) {
    for (const moment of ['before', 'after'] as const) {
      for (const policy of ['takeover', 'park'] as const) {
        define(`death ${moment} ${call}, then ${policy}`, async ({ store, other, key, pass }) => {
          const effects: string[] = [];
          const request = { ...key, input: 1, lease, ttl: long, heartbeat: false, onExpiredLease: policy };
          const work = async ({ phase }: ExecutionContext<undefined>): Promise<string> => {
            await phase('first', () => void effects.push('first'));
            effects.push('second');
            return 'result';
          };
          await dies(store, call, moment, (mortal) =>
            createIdempotency({ store: mortal, sweepInterval: false }).run(request, work),
          );
          await pass(lease);
          const survivor = createIdempotency({ store: plain(other), sweepInterval: false });
          const next = survivor.run(request, work);
          const finished = call === 'complete' && moment === 'after';
          const unbegun = call === 'begin' && moment === 'before';
          if (policy === 'park' && !finished && !unbegun) return void (await assert.rejects(next, OutcomeUnknownError));
          assert.deepEqual(await next, { value: 'result', replayed: finished, bypassed: false });
          const checkpointed = call === 'complete' || (call === 'checkpoint' && moment === 'after');
          assert.equal(effects.filter((effect) => effect === 'first').length, firstEffects(call, checkpointed));
          assert.equal((await survivor.run(request, work)).replayed, true);
        });
      }
    }
  }
}

/** A phase runs again only when the executor died between its work and its checkpoint. */
function firstEffects(call: (typeof calls)[number], checkpointed: boolean): number {
  return call === 'checkpoint' && !checkpointed ? 2 : 1;
}

/** Runs until the store call at which the process "dies": that call never returns, and nothing comes after it. */
async function dies(
  store: TestedStore,
  call: (typeof calls)[number],
  moment: 'before' | 'after',
  run: (mortal: IdempotencyStore) => Promise<unknown>,
): Promise<void> {
  await new Promise<void>((dead, failed) => {
    const end = (): Promise<never> => {
      dead();
      return new Promise(() => undefined);
    };
    const mortal: IdempotencyStore = Object.assign(Object.create(plain(store)) as IdempotencyStore, {
      [call]: async (...args: unknown[]) => {
        if (moment === 'before') return end();
        await (store[call] as (...args: unknown[]) => Promise<unknown>)(...args);
        return end();
      },
      release: end,
      extend: end,
    });
    run(mortal).catch(failed);
  });
}

/** Without transactions: the crash points are those between the calls. Transactional phases are the store's own tests' business. */
function plain(store: TestedStore): IdempotencyStore {
  return Object.assign(Object.create(store) as IdempotencyStore, { transaction: undefined, within: undefined });
}
