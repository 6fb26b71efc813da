import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { programOf, type TemporaryDirectory, temporaryDirectory, waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from '../../src/config.ts';
import { findControlGroups } from '../../src/executors/cgroup.ts';
import type { Executor } from '../../src/executors/executor.ts';
import { openExecutor } from '../../src/executors/open.ts';
import { execute } from './execute.ts';

const options = { workerId: 'w', dataDirectory: '/nowhere' };
const program = await programOf('bwrap', 'bubblewrap').catch(() => undefined);
const open = (parameters = '') => openExecutor(`bwrap:${program?.command}${parameters}`, options);
const whyNot = await open().then(
  () => undefined,
  (error: Error) => error.message,
);
const groups = await findControlGroups();

let directory: TemporaryDirectory;
let work: string;
beforeAll(async () => {
  process.env.PATH = [process.env.PATH, program && dirname(program.command)].join(delimiter);
  directory = await temporaryDirectory('bwrap');
  work = join(directory.path, 'work');
  await mkdir(work);
});
afterAll(() => directory.remove());

/** Processes of this machine whose command line has the text. */
async function running(text: string): Promise<number> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')));
  return lines.filter((line) => line.includes(text)).length;
}

// Namespaces are Linux's; where bubblewrap is missing or forbidden the reason is in the name of the group.
describe.skipIf(whyNot !== undefined)(`bwrap ${whyNot ?? ''}`, () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await open();
  });

  test('gives output, exit code, and the environment it was told, which no argument shows', async () => {
    process.env.SERVER_SECRET = 'hidden';
    const command = 'echo one; echo two >&2; env; tr "\\0" " " < /proc/1/cmdline; exit 7';
    const result = await execute(executor, command, { directory: work, env: { TOKEN: 'agents-own-token' } });
    delete process.env.SERVER_SECRET;
    expect(result).toMatchObject({ reason: 'exited', exitCode: 7 });
    expect(result.lines).toEqual(
      expect.arrayContaining(['stdout: one', 'stderr: two', 'stdout: TOKEN=agents-own-token']),
    );
    expect(result.lines.filter((line) => line.includes('agents-own-token'))).toHaveLength(1);
    expect(result.lines.join('\n')).not.toContain('hidden');
  });

  test('lets it write its mounts and nothing else, and see nobody', async () => {
    await writeFile(join(directory.path, 'secret'), 'secret');
    const shared = join(directory.path, 'shared');
    await mkdir(shared);
    const command = `echo x > made; for file in ${shared}/f /usr/f /etc/f /f; do echo x > $file; done; cat ../secret; id -u; ls /proc | grep -c '^[0-9]'`;
    const mounts = [
      { path: shared, readOnly: true },
      { path: work, readOnly: false },
    ];
    const { lines } = await execute(executor, command, { directory: work, mounts });
    expect(await readFile(join(work, 'made'), 'utf8')).toBe('x\n');
    expect(await readdir(shared)).toEqual([]);
    expect(lines.filter((line) => /Read-only|Permission denied/.test(line)).length).toBeGreaterThanOrEqual(3);
    expect(lines.join()).not.toMatch(/stdout: secret/);
    expect(lines).toContain('stdout: 1000');
    expect(Number(lines.at(-1)?.split(' ')[1])).toBeLessThan(8);
    expect(existsSync('/usr/f')).toBe(false);
  });

  test('reaches the one address it was given, and no other', async () => {
    const servers = ['model', 'other'].map((name) => createServer((_, response) => response.end(name)));
    for (const server of servers) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const [model, other] = servers.map((server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const ask = `for url in ${model}/v1 ${other}/; do ${process.execPath} -e 'fetch(process.argv[1]).then((r) => r.text()).then(console.log, () => console.log("refused"))' $url; done`;
    const allowed = await execute(executor, ask, { directory: work, reach: `${model}/gateway` });
    expect(allowed.lines).toEqual(['stdout: model', 'stdout: refused']);
    const none = await execute(executor, ask, { directory: work });
    expect(none.lines).toEqual(['stdout: refused', 'stdout: refused']);
    for (const server of servers) server.close();
  });

  test('abort kills everything, also a daemon and what ignores SIGTERM', async () => {
    const abort = new AbortController();
    const command = `trap '' TERM; setsid sh -c "trap '' TERM; sleep 31415" & echo up; sleep 31415`;
    const result = await execute(executor, command, {
      directory: work,
      signal: abort.signal,
      onLine: () => abort.abort(),
    });
    expect(result.reason).toBe('aborted');
    await waitFor(async () => (await running('31415')) === 0);
  });

  test('the timeout ends it', async () => {
    const result = await execute(executor, 'sleep 300', { directory: work, timeout: 50 });
    expect(result.reason).toBe('timeout');
  });

  test('kill -9 of the server kills it', async () => {
    const url = new URL('../../src/executors/open.ts', import.meta.url).href;
    const text = `import { openExecutor } from '${url}';
      const executor = await openExecutor('bwrap:${program?.command}', { workerId: 'w', dataDirectory: '/' });
      await executor.run({ runId: 'r', command: '/bin/sh', args: ['-c', 'echo up > up; sleep 27182'], directory: '${work}',
        mounts: [{ path: '${work}', readOnly: false }], env: { PATH: '/usr/bin:/bin' }, timeout: 60000,
        signal: new AbortController().signal, onLine: async () => {} });`;
    const args = ['--conditions=@millrace/source', '--import', 'tsx', '--input-type=module', '-e', text];
    const server = spawn(process.execPath, args, { stdio: 'inherit' });
    await waitFor(() => existsSync(join(work, 'up')));
    server.kill('SIGKILL');
    await waitFor(async () => (await running('27182')) === 0);
  });

  // Control groups need root or a delegated group.
  describe.skipIf(groups === undefined)('limits', () => {
    test('a program that wants too much memory ends as oom, and the group is gone', async () => {
      const limited = await open('?memory=64m&cpus=0.5&pids=32');
      const command = `${process.execPath} -e 'const a = []; for (;;) a.push(Buffer.alloc(2 ** 20, 1))'`;
      const result = await execute(limited, command, { directory: work, runId: 'oom' });
      expect(result.reason).toBe('oom');
      expect(existsSync(`/sys/fs/cgroup/memory/millrace-${process.pid}-oom`)).toBe(false);
    });

    test('a fork bomb meets its limit', async () => {
      const limited = await open('?pids=16');
      const command = 'for i in $(seq 1 100); do sleep 300 & done; echo all';
      const result = await execute(limited, command, { directory: work, timeout: 10_000 });
      expect(result.lines.join('\n')).toMatch(/fork|Cannot allocate|Resource temporarily/i);
      expect(result.lines).not.toContain('stdout: all');
    });

    test('groups that a killed server left are removed at the next start', async () => {
      const gone = spawn('true');
      await new Promise((resolve) => gone.once('exit', resolve));
      await groups?.create(`millrace-${gone.pid}-lost`, { memory: 2 ** 26 });
      const left = `/sys/fs/cgroup/${existsSync('/sys/fs/cgroup/memory') ? 'memory/' : ''}millrace-${gone.pid}-lost`;
      expect(existsSync(left)).toBe(true);
      await open();
      expect(existsSync(left)).toBe(false);
    });
  });
});

test.each([
  ['bwrap:/nowhere/bwrap', /cannot run \/nowhere\/bwrap; install it/],
  ['bwrap:?network=some', /network must be none or host/],
  ['bwrap:?memory=much', /memory=much; write a number above 0 such as 512m/],
  ['bwrap:?colour=red', /has no parameter colour; there are memory, cpus, pids, network/],
  ['docker:', /needs the parameter image/],
  ['docker:/nowhere.sock?image=x', /nothing answers at \/nowhere.sock .*start the Docker engine/],
  ['podman:/nowhere.sock?image=x', /systemctl enable --now podman.socket/],
  ['k8s:?image=x', /needs the parameter claim/],
])('%s stops with what to do', async (url, message) => {
  const opening = openExecutor(url, options);
  await expect(opening).rejects.toThrow(ConfigError);
  await expect(opening).rejects.toThrow(message);
});
