import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Executor } from '../../src/executors/executor.ts';
import { openExecutor } from '../../src/executors/open.ts';
import { execute } from './execute.ts';
import { type FakeCluster, startFakeCluster } from './fake-kubernetes.ts';

let directory: TemporaryDirectory;
let cluster: FakeCluster;
let executor: Executor;
const open = (workerId: string) =>
  openExecutor(
    'k8s:?image=agent:1&claim=millrace-data&namespace=agents&memory=64m&cpus=0.5&poll=20ms&runtimeClass=gvisor',
    {
      workerId,
      dataDirectory: directory.path,
    },
  );

// No cluster runs on a test machine: the requests and streams are proven against a fake of its API.
beforeAll(async () => {
  directory = await temporaryDirectory('kubernetes');
  cluster = await startFakeCluster();
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: { server: cluster.url, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  const path = join(directory.path, 'kubeconfig');
  await writeFile(path, JSON.stringify(config));
  vi.stubEnv('KUBECONFIG', path);
  executor = await open('w1');
});
afterAll(async () => {
  vi.unstubAllEnvs();
  await cluster[Symbol.asyncDispose]();
  await directory.remove();
});

test('asks for a job that ends by itself and may only what it is told', async () => {
  const mounts = [
    { path: `${directory.path}/git/mirrors/m`, readOnly: true },
    { path: `${directory.path}/work`, readOnly: false },
    { path: '/elsewhere', readOnly: true },
  ];
  await execute(executor, 'true', { directory: directory.path, mounts, runId: 'r1', timeout: 90_000 });
  const job = cluster.created.at(-1);
  expect(job).toMatchObject({
    metadata: { name: 'millrace-r1', labels: { 'millrace.dev/run': 'r1', 'millrace.dev/worker': 'w1' } },
    spec: { backoffLimit: 0, activeDeadlineSeconds: 150, ttlSecondsAfterFinished: 300 },
  });
  expect(job?.spec?.template.metadata?.labels?.['millrace.dev/network']).toBe('none');
  expect(job?.spec?.template.spec).toMatchObject({
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    runtimeClassName: 'gvisor',
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'millrace-data' } }, { name: 'tmp' }],
  });
  expect(job?.spec?.template.spec?.containers[0]).toMatchObject({
    image: 'agent:1',
    resources: { limits: { memory: String(64 * 2 ** 20), cpu: '0.5' } },
    securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
    volumeMounts: [
      { name: 'tmp', mountPath: '/tmp' },
      { name: 'data', mountPath: `${directory.path}/git/mirrors/m`, subPath: 'git/mirrors/m', readOnly: true },
      { name: 'data', mountPath: `${directory.path}/work`, subPath: 'work', readOnly: false },
    ],
  });
  expect(cluster.names()).toEqual([]);
});

test('gives the log line by line and the exit code', async () => {
  const result = await execute(executor, 'for i in $(seq 1 300); do echo line $i; done; exit 7', {
    directory: directory.path,
  });
  expect(result).toMatchObject({ reason: 'exited', exitCode: 7 });
  expect(result.lines).toEqual(Array.from({ length: 300 }, (_, index) => `stdout: line ${index + 1}`));
});

test('abort and timeout end it and leave no job', async () => {
  const abort = new AbortController();
  const onLine = () => abort.abort();
  const aborted = await execute(executor, 'echo up; sleep 300', {
    directory: directory.path,
    signal: abort.signal,
    onLine,
  });
  expect(aborted.reason).toBe('aborted');
  expect((await execute(executor, 'sleep 300', { directory: directory.path, timeout: 100 })).reason).toBe('timeout');
  expect(cluster.names()).toEqual([]);
});

test('a failure to store a line is the failure of the run', async () => {
  const onLine = () => Promise.reject(new Error('the log is gone'));
  await expect(execute(executor, 'echo x; sleep 300', { directory: directory.path, onLine })).rejects.toThrow(
    'the log is gone',
  );
  expect(cluster.names()).toEqual([]);
});

test('what was killed for its memory is oom', async () => {
  cluster.reason = 'OOMKilled';
  expect((await execute(executor, 'exit 137', { directory: directory.path })).reason).toBe('oom');
  cluster.reason = undefined;
});

test('jobs of workers that are gone are removed, those of the living stay', async () => {
  const abort = new AbortController();
  const other = await open('w2');
  const begin = (one: Executor, runId: string) => {
    let up: () => void = () => {};
    const started = new Promise<void>((resolve) => {
      up = resolve;
    });
    const options = { directory: directory.path, runId, signal: abort.signal, onLine: () => up() };
    return { started, ended: execute(one, 'echo up; sleep 300', options) };
  };
  const [stays, goes] = [begin(executor, 's0'), begin(other, 's1')];
  await Promise.all([stays.started, goes.started]);
  await executor.sweep?.(new Set(['w1']));
  expect(cluster.names()).toEqual(['millrace-s0']);
  abort.abort();
  await Promise.all([stays.ended, goes.ended]);
});
