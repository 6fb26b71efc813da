import type { ExchangeRequest, NewJob } from '@millrace/queue';
import type { Subject } from './scenario.ts';
import { createWorld, randomOf } from './world.ts';

/** Saturates random tenants with random weights and compares what they got with their weights. */
export async function simulateShares(seed: number, { memoryAdapter }: Subject): Promise<readonly string[]> {
  const random = randomOf(seed);
  const { clock } = createWorld().spawn('p');
  const storage = await memoryAdapter().open({ queue: 'q', clock, random });
  const weights = Array.from({ length: 2 + Math.floor(random() * 3) }, () => 1 + Math.floor(random() * 4));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const claims = 30 * total;
  for (const [index, weight] of weights.entries()) {
    await storage.control('limitTenant', { tenant: `t${index}`, limits: { weight } });
    await storage.enqueue({ jobs: Array.from({ length: claims }, (_, n) => jobOf(`t${index}`, n)) });
  }
  const got = weights.map(() => 0);
  for (let left = claims, call = 1; left > 0; call += 1) {
    const claim = Math.min(left, 1 + Math.floor(random() * 20));
    const answer = await storage.exchange({ ...empty, call, begin: call === 1, claim });
    for (const { tenant } of answer.claimed) {
      const index = Number(tenant.slice(1));
      got[index] = (got[index] ?? 0) + 1;
    }
    left -= claim;
  }
  return weights.flatMap((weight, index) => {
    const due = (claims * weight) / total;
    const share = got[index] ?? 0;
    return Math.abs(share - due) <= due * 0.1
      ? []
      : [`t${index} of weight ${weight} got ${share} of ${claims}, due ${due}`];
  });
}

const empty: ExchangeRequest = {
  session: 's',
  begin: false,
  lease: 600_000,
  call: 1,
  lostCalls: [],
  claim: 0,
  settle: [],
  extend: [],
  progress: [],
  housekeeping: 100,
  end: false,
};

function jobOf(tenant: string, n: number): NewJob {
  return {
    id: `${tenant}-${n}`,
    name: 'work',
    payload: '1',
    bytes: 1,
    tenant,
    priority: 0,
    delay: 0,
    maxAttempts: 1,
    cost: 0,
    keepResult: 0,
    children: 0,
  };
}
