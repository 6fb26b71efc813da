import { sleep } from '../clock.ts';
import { toMilliseconds } from '../duration.ts';
import { MissingHandlerError } from '../errors.ts';
import { assertInteger } from '../job.ts';
import { notify } from '../produce/batcher.ts';
import type { DrainOptions, Worker, WorkerHealth, WorkerOptions } from '../worker.ts';
import { shutdownReason } from './attempt.ts';
import { type AnyHandler, Crew, type WorkerParts } from './crew.ts';
import { createLink, type Link } from './link.ts';
import { readSettings, type WorkerSettings } from './settings.ts';

/** How long aborted handlers are waited for at the end of a drain. */
const lastWords = 1_000;

/** Creates a worker and starts it. @throws MissingHandlerError, InvalidOptionError, InvalidDurationError */
export function createWorker(
  parts: WorkerParts,
  handlers: Readonly<Record<string, AnyHandler>>,
  options: WorkerOptions = {},
): Worker {
  for (const name of parts.definitions.keys()) if (!Object.hasOwn(handlers, name)) throw new MissingHandlerError(name);
  const settings = readSettings(options);
  const crew = new Crew(parts, handlers, settings);
  const link = connect(parts, settings, crew);
  let draining: Promise<void> | undefined;
  let stopped = false;

  function drain(drainOptions: DrainOptions = {}): Promise<void> {
    draining ??= drainOnce(parts, settings, crew, link, drainOptions).finally(() => {
      stopped = true;
    });
    return draining;
  }

  function setConcurrency(slots: number): void {
    assertInteger('concurrency', slots, 1, 100_000);
    crew.concurrency = slots;
    link.wake();
  }

  return {
    drain,
    health: () => healthOf(parts, settings, crew, link, stopped),
    setConcurrency,
    pause: () => {
      crew.paused = true;
    },
    resume: () => {
      crew.paused = false;
      link.wake();
    },
    [Symbol.asyncDispose]: () => drain(),
  };
}

function connect(parts: WorkerParts, settings: WorkerSettings, crew: Crew): Link {
  const { instrumentation, queue } = parts;
  const link = createLink({
    ...parts,
    ...settings,
    wanted: () => crew.wanted(),
    capacity: () => crew.capacity(),
    nextTick: () => crew.nextTick(),
    onTick: () => crew.tick(),
    onAnswer: (exchanged) => crew.accept(exchanged),
    onHandOff: (jobs, session, claimedAt) => crew.receive(jobs, session, claimedAt),
    onLost: (reason) => crew.lose(reason),
    onError: (error) => notify(() => instrumentation?.onStoreError?.({ queue, operation: 'exchange', error })),
  });
  crew.connect(link);
  return link;
}

async function drainOnce(
  parts: WorkerParts,
  settings: WorkerSettings,
  crew: Crew,
  link: Link,
  { timeout, signal }: DrainOptions,
): Promise<void> {
  crew.closed = true;
  crew.giveBack();
  const patience = timeout === undefined ? settings.drainTimeout : toMilliseconds(timeout, 'timeout');
  if (!(await idleWithin(parts, crew, patience, signal))) {
    crew.abortAll(shutdownReason);
    await idleWithin(parts, crew, lastWords);
    crew.releaseHeld();
  }
  await link.end();
}

async function idleWithin(parts: WorkerParts, crew: Crew, ms: number, signal?: AbortSignal): Promise<boolean> {
  if (crew.running === 0) return true;
  if (signal?.aborted) return false;
  const over = new AbortController();
  const stop = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const timeUp = sleep(parts.clock, ms, stop).catch(() => undefined);
  await Promise.race([crew.whenIdle(), timeUp]);
  over.abort();
  return crew.running === 0;
}

function healthOf(
  parts: WorkerParts,
  settings: WorkerSettings,
  crew: Crew,
  link: Link,
  stopped: boolean,
): WorkerHealth {
  const lastAnswerAge = link.lastAnswerAt === undefined ? undefined : parts.clock.monotonic() - link.lastAnswerAt;
  return {
    status: statusOf(settings, crew, link, stopped, lastAnswerAge),
    running: crew.running,
    buffered: crew.buffered,
    concurrency: crew.concurrency,
    lastAnswerAge,
    lastError: link.lastError,
    session: link.session,
  };
}

function statusOf(
  settings: WorkerSettings,
  crew: Crew,
  link: Link,
  stopped: boolean,
  lastAnswerAge: number | undefined,
): WorkerHealth['status'] {
  if (stopped) return 'stopped';
  if (crew.closed) return 'draining';
  const silent = lastAnswerAge !== undefined && lastAnswerAge > settings.lease;
  if (silent || link.lastError !== undefined) return 'unreachable';
  return crew.paused || crew.closedByGate ? 'paused' : 'ok';
}
