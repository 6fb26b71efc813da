import { PassThrough } from 'node:stream';
import { finished } from 'node:stream/promises';
import Docker from 'dockerode';
import { ConfigError } from '../config-values.ts';
import type { Execution, ExecutionResult, Executor, ExecutorLimits, Mount } from './executor.ts';
import { splitLines } from './lines.ts';
import { type ExecutorUrl, parseExecutorUrl, required } from './url.ts';

/** Labels by which containers of runs, and of workers, are found. */
export const runLabel = 'millrace.run';
export const workerLabel = 'millrace.worker';

const sockets: Readonly<Record<string, string>> = {
  docker: '/var/run/docker.sock',
  podman: '/run/podman/podman.sock',
};

/**
 * The container ends with the connection that carries its output, because the worker's end of it closes when the worker
 * dies: its input is that connection. The program takes the shell's place, and a container ends with its first program.
 */
const leash = `exec 3<&0 </dev/null
(read -r _ <&3; kill -9 $$) >/dev/null 2>&1 &
exec 3<&-
exec "$@"`;

interface ContainerOptions {
  readonly engine: Docker;
  readonly image: string;
  readonly limits: ExecutorLimits;
  /** A network of the engine for programs that call a model; the others get none. */
  readonly network: string;
  /** `uid:gid` inside. */
  readonly user: string;
  readonly runtime: string | undefined;
  readonly workerId: string;
}

/**
 * The executor of `docker:/var/run/docker.sock?image=…&memory=2g&network=millrace` and of `podman:` the same: both
 * speak Docker's API.
 * @throws {ConfigError} when the engine does not answer or lacks the image.
 */
export async function openContainers(url: string, workerId: string): Promise<Executor> {
  const parsed = parseExecutorUrl(url, ['image', 'network', 'user', 'runtime']);
  const image = required(parsed, 'image', 'ghcr.io/you/agent:1');
  const socketPath = parsed.path || (sockets[parsed.scheme] ?? '');
  const engine = new Docker({ socketPath });
  await checkEngine(engine, parsed, socketPath, image);
  const options: ContainerOptions = {
    engine,
    image,
    workerId,
    limits: parsed.limits,
    network: parsed.parameters.get('network') ?? 'bridge',
    user: parsed.parameters.get('user') ?? '1000:1000',
    runtime: parsed.parameters.get('runtime'),
  };
  return {
    name: parsed.scheme,
    capabilities: { files: true, processes: true, network: false, limits: ['memory', 'cpus', 'pids'] },
    run: (execution) => runContainer(execution, options),
    sweep: (living) => sweep(engine, living),
  };
}

async function checkEngine(engine: Docker, { scheme }: ExecutorUrl, socket: string, image: string): Promise<void> {
  await engine.ping().catch((cause: Error) => {
    const cure = scheme === 'podman' ? 'systemctl enable --now podman.socket' : 'start the Docker engine';
    throw new ConfigError(
      `EXECUTOR_URL ${scheme}: nothing answers at ${socket} (${cause.message}); ${cure}, or name its socket: ${scheme}:/path/to.sock?image=….`,
      { cause },
    );
  });
  await engine
    .getImage(image)
    .inspect()
    .catch((cause: Error) => {
      throw new ConfigError(`EXECUTOR_URL ${scheme}: the engine has no image ${image}; pull it first.`, { cause });
    });
}

async function runContainer(execution: Execution, options: ContainerOptions): Promise<ExecutionResult> {
  const { signal, timeout } = execution;
  if (signal.aborted) return { reason: 'aborted', exitCode: null, signal: null };
  const name = `millrace-${execution.runId}`;
  // A container of this run that an earlier worker left behind must not go on beside this one.
  await removeContainer(options.engine.getContainer(name));
  const container = await options.engine.createContainer(specOf(name, execution, options));
  let reason: ExecutionResult['reason'] = 'exited';
  const stop = (why: ExecutionResult['reason']): void => {
    if (reason !== 'exited') return;
    reason = why;
    container.kill({ signal: 'SIGKILL' }).catch(() => undefined);
  };
  const onAbort = (): void => stop('aborted');
  const timer = setTimeout(stop, Math.min(timeout, 2 ** 31 - 1), 'timeout');
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    const { output } = await attach(options.engine, container, execution.onLine);
    output.catch(onAbort);
    await container.start();
    if (signal.aborted) onAbort();
    const { StatusCode: exitCode } = (await container.wait()) as { StatusCode: number };
    await output;
    const { State } = await container.inspect();
    if (reason === 'exited' && State.OOMKilled) reason = 'oom';
    return { reason, exitCode: reason === 'exited' ? exitCode : null, signal: null };
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', onAbort);
    await removeContainer(container);
  }
}

function specOf(
  name: string,
  { runId, command, args, directory, env, mounts, reach }: Execution,
  { image, limits, network, user, runtime, workerId }: ContainerOptions,
): Docker.ContainerCreateOptions {
  return {
    name,
    Image: image,
    Entrypoint: ['/bin/sh', '-c', leash, 'millrace'],
    Cmd: [command, ...args],
    Env: Object.entries(env).map(([key, value]) => `${key}=${value}`),
    WorkingDir: directory,
    User: user,
    Labels: { [runLabel]: runId, [workerLabel]: workerId },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, OpenStdin: true, StdinOnce: true, Tty: false },
    HostConfig: {
      Binds: mounts.map(bindOf),
      NetworkMode: reach === undefined ? 'none' : network,
      ReadonlyRootfs: true,
      Tmpfs: { '/tmp': 'rw,nosuid,nodev,size=512m' },
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges'],
      Init: true,
      ...(runtime !== undefined && { Runtime: runtime }),
      ...(limits.memory !== undefined && { Memory: limits.memory, MemorySwap: limits.memory }),
      ...(limits.cpus !== undefined && { NanoCpus: Math.round(limits.cpus * 1e9) }),
      ...(limits.pids !== undefined && { PidsLimit: Math.floor(limits.pids) }),
    },
  };
}

function bindOf({ path, readOnly }: Mount): string {
  if (path.includes(':')) throw new RangeError(`A container cannot be given ${path}: its path has a colon.`);
  return `${path}:${path}:${readOnly ? 'ro' : 'rw'}`;
}

/** Resolves once attached, with the promise of all output: nothing that the program says can come too early. */
async function attach(
  engine: Docker,
  container: Docker.Container,
  onLine: Execution['onLine'],
): Promise<{ readonly output: Promise<unknown> }> {
  const stream = await container.attach({ stream: true, stdin: true, stdout: true, stderr: true, hijack: true });
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  engine.modem.demuxStream(stream, stdout, stderr);
  const forward = async (source: PassThrough, name: 'stdout' | 'stderr'): Promise<void> => {
    for await (const line of splitLines(source)) await onLine(name, line);
  };
  const ended = finished(stream, { writable: false }).finally(() => {
    stdout.end();
    stderr.end();
  });
  return { output: Promise.all([forward(stdout, 'stdout'), forward(stderr, 'stderr'), ended]) };
}

async function removeContainer(container: Docker.Container): Promise<void> {
  await container.remove({ force: true, v: true }).catch((error: { statusCode?: number }) => {
    // 404: there is none. 409: its removal is under way.
    if (error.statusCode !== 404 && error.statusCode !== 409) throw error;
  });
}

async function sweep(engine: Docker, living: ReadonlySet<string>): Promise<void> {
  const containers = await engine.listContainers({ all: true, filters: { label: [workerLabel] } });
  for (const { Id, Labels } of containers) {
    if (!living.has(Labels[workerLabel] ?? '')) await removeContainer(engine.getContainer(Id));
  }
}
