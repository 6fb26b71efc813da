import { ConfigError } from '../config-values.ts';
import type { Executor } from './executor.ts';

export interface OpenExecutorOptions {
  /** Marks what this worker starts outside of itself. */
  readonly workerId: string;
  readonly dataDirectory: string;
}

/**
 * The executor of a URL. A client library is loaded only by who uses it.
 * @throws {ConfigError} that says what is missing here.
 */
export async function openExecutor(url: string, { workerId, dataDirectory }: OpenExecutorOptions): Promise<Executor> {
  const scheme = url.slice(0, url.indexOf(':') + 1);
  switch (scheme) {
    case 'process:':
      return (await import('./process.ts')).processExecutor();
    case 'bwrap:':
      return await (await import('./bwrap.ts')).openBwrap(url);
    case 'docker:':
    case 'podman:':
      return await (await import('./container.ts')).openContainers(url, workerId);
    case 'k8s:':
      return await (await import('./kubernetes.ts')).openKubernetes(url, workerId, dataDirectory);
    default:
      throw new ConfigError(`EXECUTOR_URL begins with process:, bwrap:, docker:, podman: or k8s:, not ${scheme}.`);
  }
}
