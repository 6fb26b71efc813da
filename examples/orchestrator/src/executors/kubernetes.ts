import { PassThrough } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { BatchV1Api, CoreV1Api, KubeConfig, Log, type V1Pod } from '@kubernetes/client-node';
import { ConfigError } from '../config-values.ts';
import type { Execution, ExecutionResult, Executor } from './executor.ts';
import { type JobSettings, jobManifest, runLabel, workerLabel } from './job-manifest.ts';
import { splitLines } from './lines.ts';
import { durationOf, parseExecutorUrl, required } from './url.ts';

interface Cluster {
  readonly jobs: BatchV1Api;
  readonly pods: CoreV1Api;
  readonly logs: Log;
  readonly namespace: string;
  /** Milliseconds between two looks at a pod. */
  readonly interval: number;
}

/**
 * The executor of `k8s:?image=…&claim=millrace-data&namespace=agents&memory=2g&cpus=1`. It uses the service account of
 * its pod, else the KUBECONFIG of its user.
 * @throws {ConfigError} when there is no cluster, or it answers nothing.
 */
export async function openKubernetes(url: string, workerId: string, dataDirectory: string): Promise<Executor> {
  const parsed = parseExecutorUrl(url, ['image', 'claim', 'namespace', 'runtimeClass', 'poll']);
  const settings: JobSettings = {
    image: required(parsed, 'image', 'ghcr.io/you/agent:1'),
    claim: required(parsed, 'claim', 'millrace-data'),
    limits: parsed.limits,
    runtimeClass: parsed.parameters.get('runtimeClass'),
    dataDirectory,
    workerId,
  };
  const cluster = connect(parsed.parameters.get('namespace'), durationOf(parsed, 'poll', '500ms'));
  await cluster.jobs.listNamespacedJob({ namespace: cluster.namespace, limit: 1 }).catch((cause: Error) => {
    throw new ConfigError(
      `EXECUTOR_URL k8s: the cluster refuses to list jobs in ${cluster.namespace} (${cause.message.split('\n')[0]}); give the worker's account the role of deploy/kubernetes.yaml, and check KUBECONFIG.`,
      { cause },
    );
  });
  return {
    name: 'k8s',
    capabilities: { files: true, processes: true, network: false, limits: ['memory', 'cpus'] },
    run: (execution) => runJob(execution, cluster, settings),
    sweep: (living) => sweep(cluster, living),
  };
}

function connect(namespace: string | undefined, interval: number): Cluster {
  const config = new KubeConfig();
  config.loadFromDefault();
  const jobs = config.makeApiClient(BatchV1Api);
  const pods = config.makeApiClient(CoreV1Api);
  const own = config.getContextObject(config.getCurrentContext())?.namespace;
  return { jobs, pods, logs: new Log(config), namespace: namespace ?? own ?? 'default', interval };
}

async function runJob(execution: Execution, cluster: Cluster, settings: JobSettings): Promise<ExecutionResult> {
  const { signal } = execution;
  if (signal.aborted) return { reason: 'aborted', exitCode: null, signal: null };
  const name = `millrace-${execution.runId}`;
  await removeJob(cluster, name);
  const ended = new AbortController();
  const stop = AbortSignal.any([signal, AbortSignal.timeout(Math.min(execution.timeout, 2 ** 31 - 1)), ended.signal]);
  try {
    const body = jobManifest(name, execution, settings);
    await cluster.jobs.createNamespacedJob({ namespace: cluster.namespace, body });
    const begun = await podWhere(cluster, execution.runId, isBegun, stop);
    const output = begun && follow(cluster, begun, execution.onLine, ended);
    const pod = begun && (await podWhere(cluster, execution.runId, isOver, stop));
    if (!pod) {
      output?.abort();
      if (output?.failure) throw output.failure;
      return { reason: signal.aborted ? 'aborted' : 'timeout', exitCode: null, signal: null };
    }
    await output?.done;
    if (output?.failure) throw output.failure;
    return resultOf(pod);
  } finally {
    await removeJob(cluster, name);
  }
}

/** The pod of a run once it is so; `undefined` when the signal came first. */
async function podWhere(
  { pods, namespace, interval }: Cluster,
  runId: string,
  accept: (pod: V1Pod) => boolean,
  signal: AbortSignal,
): Promise<V1Pod | undefined> {
  while (!signal.aborted) {
    const { items } = await pods.listNamespacedPod({ namespace, labelSelector: `${runLabel}=${runId}` });
    const pod = items.find(accept);
    if (pod) return pod;
    await sleep(interval, undefined, { signal }).catch(() => undefined);
  }
  return undefined;
}

const isOver = ({ status }: V1Pod): boolean => status?.phase === 'Succeeded' || status?.phase === 'Failed';
const isBegun = (pod: V1Pod): boolean => pod.status?.phase === 'Running' || isOver(pod);

interface Following {
  readonly done: Promise<void>;
  readonly failure: unknown;
  abort(): void;
}

/** The cluster keeps one log for both streams. A line that cannot be stored ends the run. */
function follow(
  { logs, namespace }: Cluster,
  pod: V1Pod,
  onLine: Execution['onLine'],
  ended: AbortController,
): Following {
  const text = new PassThrough();
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    ended.abort();
  };
  // The answer may not begin before the program says something, so nobody waits for it.
  const request = logs.log(namespace, pod.metadata?.name ?? '', 'agent', text, { follow: true });
  request.catch(fail);
  const done = (async () => {
    for await (const line of splitLines(text)) await onLine('stdout', line);
  })().catch(fail);
  return {
    done,
    get failure() {
      return failure;
    },
    abort() {
      text.end();
      request.then((controller) => controller.abort()).catch(() => undefined);
    },
  };
}

function resultOf({ status }: V1Pod): ExecutionResult {
  const terminated = status?.containerStatuses?.find(({ name }) => name === 'agent')?.state?.terminated;
  if (terminated?.reason === 'OOMKilled') return { reason: 'oom', exitCode: null, signal: null };
  if (status?.reason === 'DeadlineExceeded') return { reason: 'timeout', exitCode: null, signal: null };
  return { reason: 'exited', exitCode: terminated?.exitCode ?? 1, signal: null };
}

async function removeJob({ jobs, namespace }: Cluster, name: string): Promise<void> {
  const propagationPolicy = 'Background';
  await jobs
    .deleteNamespacedJob({ name, namespace, propagationPolicy, gracePeriodSeconds: 0 })
    .catch((error: { code?: number }) => {
      if (error.code !== 404) throw error;
    });
}

async function sweep(cluster: Cluster, living: ReadonlySet<string>): Promise<void> {
  const { jobs, namespace } = cluster;
  const { items } = await jobs.listNamespacedJob({ namespace, labelSelector: workerLabel });
  for (const { metadata } of items) {
    const worker = metadata?.labels?.[workerLabel] ?? '';
    if (metadata?.name && !living.has(worker)) await removeJob(cluster, metadata.name);
  }
}
