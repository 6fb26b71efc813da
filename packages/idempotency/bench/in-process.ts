import { createIdempotency, fingerprint } from '@millrace/idempotency';
import { memoryStore } from '@millrace/idempotency/memory';
import { type Bench, median, type Result, rounded } from './result.ts';

/** What costs no round trip: the fingerprint of a body and a replay from the cache. */
export const inProcess: Bench = {
  metrics: ['fingerprint.2k', 'replay.cached'],
  async run({ quick }) {
    const rounds = quick ? 11 : 31;
    return [await fingerprint2k(rounds), await replayCached(rounds)];
  },
};

function figure(metric: string, micros: readonly number[], peer?: readonly [string, readonly number[]]): Result {
  const ours = median(micros);
  const theirs = peer ? median(peer[1]) : null;
  return {
    metric,
    ours: rounded(ours),
    peer: theirs === null ? null : rounded(theirs),
    peerName: peer?.[0] ?? null,
    unit: 'µs of CPU per call',
    ratio: theirs === null ? null : rounded(ours / theirs),
  };
}

/** Processor time instead of the wall clock: neighbours on the machine change the one and hardly the other. */
function cpuSince(before: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

async function fingerprint2k(rounds: number): Promise<Result> {
  const body = {
    repo: { url: 'https://github.com/acme/api.git', ref: 'refs/heads/main', depth: 1 },
    prompt: 'Fix the flaky test in the payment module. '.repeat(25),
    labels: Array.from({ length: 20 }, (_, index) => `label-${index}`),
    environment: Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`NAME_${20 - index}`, `value ${index}`])),
    limits: { timeout: 3600, cost: 12.5, tokens: 1_000_000 },
  };
  const calls = 2000;
  const time = (call: () => unknown): number => {
    const before = process.cpuUsage();
    for (let index = 0; index < calls; index += 1) call();
    return cpuSince(before) / calls;
  };
  const ours: number[] = [];
  const plain: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(time(() => fingerprint(body)));
    plain.push(time(() => JSON.stringify(body)));
  }
  return figure('fingerprint.2k', ours, [
    `JSON.stringify of the same ${JSON.stringify(body).length} bytes, no hash`,
    plain,
  ]);
}

async function replayCached(rounds: number): Promise<Result> {
  const idempotency = createIdempotency({ store: memoryStore(), cache: { max: 1000 }, sweepInterval: false });
  const request = { tenant: 't', operation: 'run', key: 'k', input: { task: 'task-1' } };
  const work = async () => ({ id: 'run-1', text: 'y'.repeat(180) });
  await idempotency.run(request, work);
  await idempotency.run(request, work);
  const calls = 5000;
  const micros: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const before = process.cpuUsage();
    for (let index = 0; index < calls; index += 1) await idempotency.run(request, work);
    micros.push(cpuSince(before) / calls);
  }
  await idempotency.close();
  return figure('replay.cached', micros);
}
