import { execFileSync, type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import { inBatches } from '../src/batches.ts';
import type { Launch, StatusEntry, StrategyProbe } from '../src/index.ts';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

interface Told {
  readonly strategies: readonly StrategyProbe[];
  readonly used: string;
  readonly path: string;
  readonly launch: string;
  readonly before: readonly string[];
  readonly privileged: string;
  readonly statDirty: string;
  readonly entries: readonly StatusEntry[];
  readonly clean: string;
  readonly pushed: boolean;
  readonly again: Launch;
}

const child = join(import.meta.dirname, 'support/unprivileged-child.ts');

const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};

/** Runs the child as a user without rights; `around` is put before it. */
function spawnChild(it: Fixture, options: readonly string[], around: readonly string[] = []): SpawnSyncReturns<string> {
  chmodSync(it.folder, 0o777);
  execFileSync('chmod', ['-R', 'a+rwX', it.origin]);
  execFileSync('mkdir', ['-m', '777', it.root]);
  const args = ['--conditions=@millrace/source', '--import', 'tsx', child, it.root, it.origin, ...options];
  const [command = '', ...rest] = [...around, process.execPath, ...args];
  const env = { PATH: process.env.PATH, TMPDIR: it.folder, NODE_ENV: 'test' };
  return spawnSync(command, rest, { encoding: 'utf8', ...nobody, env });
}

function live(it: Fixture, userNamespaces: boolean, around: readonly string[] = []): Told {
  const { stdout, stderr, status } = spawnChild(it, [String(userNamespaces)], around);
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout) as Told;
}

function run({ command, args, cwd }: Launch): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...nobody });
}

const unshares = spawnSync('unshare', ['--user', '--map-root-user', '--mount', 'true'], nobody).status === 0;
const readable = spawnSync('test', ['-r', child], nobody).status === 0;

describe('a user without the right to mount', () => {
  // Skipped where the machine forbids user namespaces altogether: the next test is for there.
  test.skipIf(!unshares || !readable)(
    'gets an overlay in a user namespace, with all that works in a workspace',
    async () => {
      await using it = fixture();
      const told = live(it, true);
      expect(told.strategies[0]).toMatchObject({ strategy: 'overlay', available: true });
      expect(told.used).toBe('overlay');
      expect(told.launch).toBe('nsenter');
      const uid = process.getuid?.() === 0 ? '65534' : String(process.getuid?.());
      expect(told.before).toEqual([uid, join(told.path, 'src'), 'a', 'host', '?? from-host.txt']);
      expect(told.privileged).toBe('');
      expect(told.statDirty).toBe('');
      expect(told.entries.map(({ path }) => path)).toEqual(['src/locked/x', 'src/two.txt']);
      expect(told.clean).toBe('');
      expect(told.pushed).toBe(true);
      expect(git(it.origin, 'log', '--format=%s', 'agent/1').split('\n').slice(0, 2)).toEqual(['Two', 'One']);
      // The kept workspace is still there for whoever enters it, and goes with its lease.
      expect(run(told.again)).toBe('hello\n');
      const manager = it.manager();
      await (await manager.checkout({ repo: it.origin, leaseId: 'kept' })).dispose();
      await manager.close();
      await waitFor(() => expect(() => run(told.again)).toThrow());
      expectNothingLeft(it.root);
    },
  );

  // Skipped where the machine forbids user namespaces altogether.
  test.skipIf(!unshares || !readable)(
    'that is killed leaves no mount and no keeper, and the next start tidies up',
    async () => {
      await using it = fixture();
      const { signal, stdout, stderr } = spawnChild(it, ['true', 'killed']);
      expect(signal, stderr).toBe('SIGKILL');
      const launch = JSON.parse(stdout) as Launch;
      const keeper = launch.args.find((argument) => argument.startsWith('--target='))?.slice('--target='.length);
      await waitFor(() => expect(existsSync(`/proc/${keeper}/ns/mnt`)).toBe(false));
      await it.manager().ready();
      expectNothingLeft(it.root);
    },
  );

  // Skipped where these sources lie in a folder that only root may enter.
  test.skipIf(!readable)('is told why there is no overlay, and gets another strategy', async () => {
    await using it = fixture();
    const told = live(it, false);
    expect(told.strategies[0]).toMatchObject({ strategy: 'overlay', available: false });
    expect(told.strategies[0]?.reason).toMatch(/userNamespaces/);
    expect(told.used).toBe('clone');
    expect(told.launch).toBe('agent');
  });

  // Skipped where the machine forbids user namespaces altogether, which is what is played here.
  test.skipIf(!unshares || !readable)('where user namespaces are forbidden, too', async () => {
    await using it = fixture();
    const forbid = 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"';
    const told = live(it, true, ['unshare', '--user', '--map-root-user', 'sh', '-c', forbid, 'sh']);
    expect(told.strategies[0]).toMatchObject({ strategy: 'overlay', available: false });
    expect(told.strategies[0]?.reason).toMatch(/user namespace: .*unshare/);
    expect(told.used).toBe('clone');
    expect(told.pushed).toBe(true);
  });
});

test('requests of one moment go together, those of later with the next batch', async () => {
  const batches: number[][] = [];
  const ask = inBatches<number, number>(3, async (batch) => {
    batches.push([...batch]);
    if (batch.includes(5)) throw new Error('five');
    return batch.map((value) => value * 2);
  });
  const answers = await Promise.allSettled([1, 2, 3, 4, 5].map(ask));
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5],
  ]);
  expect(answers.map((answer) => (answer.status === 'fulfilled' ? answer.value : 'failed'))).toEqual([
    2,
    4,
    6,
    'failed',
    'failed',
  ]);
  expect(await ask(7)).toBe(14);
});

// Skipped without the right to mount, where there is no helper.
test.skipIf(process.getuid?.() !== 0)(
  'a helper that dies while fifty mounts are wanted fails none of them',
  async () => {
    await using it = fixture();
    const manager = it.manager({ strategies: ['overlay', 'clone'] });
    await manager.prefetch(it.origin, { warm: {} });
    const work = Promise.all(Array.from({ length: 50 }, () => manager.checkout({ repo: it.origin })));
    const killed = new Set<string>();
    const timer = setInterval(() => {
      for (const pid of readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ')) {
        if (pid === '' || !readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('mount --all')) continue;
        if (killed.size < 3) process.kill(Number(pid), 'SIGKILL');
        killed.add(pid);
      }
    }, 1);
    const workspaces = await work.finally(() => clearInterval(timer));
    expect(workspaces.map(({ path }) => readdirSync(path).length)).toEqual(workspaces.map(() => 4));
    await manager.close();
    expectNothingLeft(it.root);
  },
);
