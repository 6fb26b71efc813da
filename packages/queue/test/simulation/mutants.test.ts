import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { simulateShares } from './fairness.ts';
import { type Subject, simulate } from './scenario.ts';

const source = join(import.meta.dirname, '..', '..', 'src');
const folder = join(import.meta.dirname, `mutants-${process.pid}`);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A bug, planted by replacing text in one file, and the invariant that must notice it. */
interface Mutant {
  readonly invariant: string;
  readonly bug: string;
  readonly file: string;
  readonly find: string;
  readonly put: string;
  readonly seen: RegExp;
  readonly shares?: true;
}

const mutants: readonly Mutant[] = [
  {
    invariant: 'an ack with a stale fence has no effect',
    bug: 'the fence is not compared',
    file: 'adapters/memory/leases.ts',
    find: 'const row = rows?.get(fence);',
    put: 'const row = [...(rows?.values() ?? [])].find((one) => one.id === id && fence > 0);',
    seen: /stale fence/,
  },
  {
    invariant: 'fences grow',
    bug: 'two jobs get one fence',
    file: 'adapters/engine/claim.ts',
    find: 'queue.fence += 1;',
    put: 'queue.fence += queue.fence % 3 === 2 ? 0 : 1;',
    seen: /is not larger than/,
  },
  {
    invariant: 'at most one live fence',
    bug: 'a lease expires at two thirds of its time',
    file: 'adapters/engine/exchange.ts',
    find: 'row.expiresAt = now + request.lease;',
    put: 'row.expiresAt = now + request.lease / 4;',
    seen: /has not been told|two live fences/,
  },
  {
    invariant: 'a worker knows in time that its lease is over',
    bug: 'the lease is counted from the answer plus one lease, without a margin',
    file: 'worker/session.ts',
    find: 'else parts.onUncertain();',
    put: 'else timer = undefined;',
    seen: /has not been told/,
  },
  {
    invariant: 'no job is lost',
    bug: 'an expired session takes its jobs along',
    file: 'adapters/engine/sweep.ts',
    find: 'const leases = tables.leasedBy(session.id, limit - expired.length);',
    put: 'const leases = tables.leasedBy(session.id, 0);',
    seen: /never ended/,
  },
  {
    invariant: 'every job ends',
    bug: 'jobs of a lost answer stay leased to a living session',
    file: 'adapters/engine/exchange.ts',
    find: 'for (const row of rows) returnUnused(call, row);',
    put: 'void rows;',
    seen: /never ended/,
  },
  {
    invariant: 'every job ends',
    bug: 'jobs handed over in a lost message stay leased to a living session',
    file: 'worker/offers.ts',
    find: 'standing?.session.lostCall(standing.call);',
    put: '',
    seen: /never ended/,
  },
  {
    invariant: 'what is run is leased',
    bug: 'jobs of an offer that is over are taken when their message comes late',
    file: 'worker/offers.ts',
    find: ' || offer.call !== handOff.call',
    put: '',
    seen: /has not been told|two live fences/,
  },
  {
    invariant: 'every parent starts',
    bug: 'a parent is not told of its last child',
    file: 'adapters/engine/finish.ts',
    find: 'else if (waits.pendingChildren === 0) reschedule(call, parent, call.now);',
    put: 'else if (waits.pendingChildren < 0) reschedule(call, parent, call.now);',
    seen: /never ended/,
  },
  {
    invariant: 'first in, first out',
    bug: 'the newest goes first',
    file: 'adapters/memory/lines.ts',
    find: 'place.push(job);',
    put: 'place.insert(job, () => true);',
    seen: /overtook/,
  },
  {
    invariant: 'caps are never exceeded',
    bug: 'one more than the cap',
    file: 'adapters/engine/ring.ts',
    find: 'tenant.leased >= limits.maxLeased',
    put: 'tenant.leased > limits.maxLeased',
    seen: /its cap is/,
  },
  {
    invariant: 'shares follow the weights',
    bug: 'weights are ignored',
    file: 'adapters/engine/ring.ts',
    find: 'return Math.max(job.cost, 1) / weight;',
    put: 'return Math.max(job.cost, 1) / (weight > 0 ? 1 : 0);',
    seen: /of weight/,
    shares: true,
  },
];

async function plant(mutant: Mutant, index: number): Promise<Subject> {
  const copy = join(folder, `${index}`);
  cpSync(source, copy, { recursive: true });
  const file = join(copy, mutant.file);
  const text = readFileSync(file, 'utf8');
  expect(text.split(mutant.find), `${mutant.file} must have the planted place once`).toHaveLength(2);
  writeFileSync(file, text.replace(mutant.find, mutant.put));
  const { createQueue, defineJob } = (await import(join(copy, 'index.ts'))) as Subject;
  const { memoryAdapter } = (await import(join(copy, 'memory.ts'))) as Subject;
  return { createQueue, defineJob, memoryAdapter };
}

describe('the simulation finds a planted bug', () => {
  it.each(mutants.map((mutant, index) => ({ ...mutant, index })))(
    '$invariant: $bug',
    { timeout: 120_000 },
    async (mutant) => {
      const subject = await plant(mutant, mutant.index);
      const found: string[] = [];
      for (let seed = 1; seed <= 3_000 && !found.some((text) => mutant.seen.test(text)); seed += 1) {
        found.push(...(await (mutant.shares ? simulateShares : simulate)(seed, subject)));
      }
      expect(found.join('\n')).toMatch(mutant.seen);
    },
  );
});
