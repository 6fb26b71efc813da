import { join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@millrace/test-support';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Executor } from '../../src/executors/executor.ts';
import { openExecutor } from '../../src/executors/open.ts';
import { execute } from './execute.ts';
import { type FakeEngine, startFakeEngine } from './fake-docker.ts';
import { testRemoteExecutor } from './suite.ts';

let directory: TemporaryDirectory;
let engine: FakeEngine;
beforeAll(async () => {
  directory = await temporaryDirectory('containers');
  engine = await startFakeEngine(join(directory.path, 'engine.sock'));
});
afterAll(async () => {
  await engine[Symbol.asyncDispose]();
  await directory.remove();
});

// No container engine runs on every machine: the requests and streams are proven against a fake of Docker's API.
describe.each(['docker', 'podman'])('%s, by the API of Docker', (scheme) => {
  let executor: Executor;
  const open = (query: string, workerId = 'w1') =>
    openExecutor(`${scheme}:${join(directory.path, 'engine.sock')}?${query}`, { workerId, dataDirectory: '/d' });
  beforeEach(async () => {
    executor = await open('image=agent:1&memory=64m&cpus=0.5&pids=32&network=models');
    engine.requests.length = 0;
  });

  test('asks for a container that may only what it is told', async () => {
    const mounts = [
      { path: '/mirror', readOnly: true },
      { path: directory.path, readOnly: false },
    ];
    await execute(executor, 'true', { directory: directory.path, mounts, runId: 'r1' });
    const create = engine.requests.find(({ path }) => /create\?.*name=millrace-r1/.test(path));
    expect(create?.body).toMatchObject({
      Image: 'agent:1',
      User: '1000:1000',
      WorkingDir: directory.path,
      Labels: { 'millrace.run': 'r1', 'millrace.worker': 'w1' },
      OpenStdin: true,
      StdinOnce: true,
      HostConfig: {
        Binds: ['/mirror:/mirror:ro', `${directory.path}:${directory.path}:rw`],
        NetworkMode: 'none',
        ReadonlyRootfs: true,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges'],
        Memory: 64 * 2 ** 20,
        MemorySwap: 64 * 2 ** 20,
        NanoCpus: 5e8,
        PidsLimit: 32,
      },
    });
    const order = engine.requests.map(({ method, path }) => `${method} ${path.replace(/[?].*/, '')}`);
    expect(order.findIndex((line) => /^UPGRADE .*attach$/.test(line))).toBeLessThan(
      order.findIndex((line) => line.endsWith('/start')),
    );
    expect(engine.names()).toEqual([]);
  });

  test('a program that calls a model gets the network that was named', async () => {
    await execute(executor, 'true', { directory: directory.path, reach: 'http://worker:8080/gateway' });
    const create = engine.requests.find(({ path }) => path.startsWith('/containers/create'));
    expect(create?.body).toMatchObject({ HostConfig: { NetworkMode: 'models' } });
  });

  test('standard error has a stream of its own', async () => {
    const command = 'for i in $(seq 1 500); do echo "out $i"; echo "err $i" >&2; done';
    const { lines } = await execute(executor, command, { directory: directory.path });
    expect(lines.filter((line) => line.startsWith('stdout: out'))).toHaveLength(500);
    expect(lines.filter((line) => line.startsWith('stderr: err'))).toHaveLength(500);
  });

  testRemoteExecutor({
    open: (workerId) => open('image=agent:1', workerId),
    directory: () => directory.path,
    names: () => engine.names(),
    outOfMemory: (yes) => {
      engine.outOfMemory = yes;
    },
  });

  test('an image that is not there stops the start', async () => {
    await expect(open('image=missing:1')).rejects.toThrow('the engine has no image missing:1; pull it first.');
  });
});
