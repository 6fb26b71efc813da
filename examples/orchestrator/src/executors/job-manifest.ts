import type { V1Job, V1VolumeMount } from '@kubernetes/client-node';
import type { Execution, ExecutorLimits } from './executor.ts';

/** Labels by which jobs of runs, and of workers, are found. */
export const runLabel = 'millrace.dev/run';
export const workerLabel = 'millrace.dev/worker';

/** Seconds that a job that ended stays to be looked at, if nobody removes it. */
const keepFor = 300;
/** Seconds that a job may outlive the time its worker gives it: then the cluster itself ends it. */
const margin = 60;

export interface JobSettings {
  readonly image: string;
  readonly limits: ExecutorLimits;
  /** The claim of the volume that holds DATA_DIR, shared by workers and jobs. */
  readonly claim: string;
  /** DATA_DIR: where the volume lies in workers, and therefore in jobs. */
  readonly dataDirectory: string;
  readonly runtimeClass: string | undefined;
  readonly workerId: string;
}

/** The Job of one run: one pod, begun once, that may nothing but what it is told. */
export function jobManifest(name: string, execution: Execution, settings: JobSettings): V1Job {
  const labels = { [runLabel]: execution.runId, [workerLabel]: settings.workerId };
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, labels },
    spec: {
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      activeDeadlineSeconds: Math.ceil(execution.timeout / 1000) + margin,
      ttlSecondsAfterFinished: keepFor,
      template: {
        metadata: { labels: { ...labels, 'millrace.dev/network': execution.reach ? 'gateway' : 'none' } },
        spec: {
          restartPolicy: 'Never',
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          terminationGracePeriodSeconds: 1,
          ...(settings.runtimeClass !== undefined && { runtimeClassName: settings.runtimeClass }),
          securityContext: {
            runAsNonRoot: true,
            ...{ runAsUser: 1000, runAsGroup: 1000, fsGroup: 1000 },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [containerOf(execution, settings)],
          volumes: [
            { name: 'data', persistentVolumeClaim: { claimName: settings.claim } },
            { name: 'tmp', emptyDir: { sizeLimit: '512Mi' } },
          ],
        },
      },
    },
  };
}

function containerOf(execution: Execution, { image, limits, dataDirectory }: JobSettings) {
  return {
    name: 'agent',
    image,
    command: [execution.command],
    args: [...execution.args],
    workingDir: execution.directory,
    env: Object.entries(execution.env).map(([name, value]) => ({ name, value })),
    resources: resourcesOf(limits),
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    },
    volumeMounts: [{ name: 'tmp', mountPath: '/tmp' }, ...volumeMounts(execution, dataDirectory)],
  };
}

/** A cluster limits the number of processes by the node's configuration, not by the pod's. */
function resourcesOf({ memory, cpus }: ExecutorLimits) {
  const limits = {
    ...(memory !== undefined && { memory: String(memory) }),
    ...(cpus !== undefined && { cpu: String(cpus) }),
  };
  return { limits, requests: limits };
}

/** What the run may see of the shared volume, each at its own path; what lies elsewhere must be part of the image. */
function volumeMounts({ mounts }: Execution, dataDirectory: string): V1VolumeMount[] {
  const inside = mounts.filter(({ path }) => path.startsWith(`${dataDirectory}/`));
  return inside.map(({ path, readOnly }) => ({
    name: 'data',
    mountPath: path,
    subPath: path.slice(dataDirectory.length + 1),
    readOnly,
  }));
}
