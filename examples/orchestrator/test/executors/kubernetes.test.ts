import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { Executor } from '../../src/executors/executor.ts';
import { openExecutor } from '../../src/executors/open.ts';
import { execute } from './execute.ts';
import { type FakeCluster, startFakeCluster } from './fake-kubernetes.ts';
import { testRemoteExecutor } from './suite.ts';

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

testRemoteExecutor({
  open,
  directory: () => directory.path,
  names: () => cluster.names(),
  outOfMemory: (yes) => {
    cluster.reason = yes ? 'OOMKilled' : undefined;
  },
});
