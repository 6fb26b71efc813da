import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { timeOfId } from '../ids.ts';

/** The variable that every process of a run inherits. */
export const runMarker = 'MILLRACE_RUN_ID';

/** Milliseconds between two looks at all processes of this machine, however many runs end in the meantime. */
const lookInterval = 200;

/** Milliseconds by which the clock may have been set back since a run began. */
const clockMargin = 2000;

/** What the next look is to kill; runs that end while it waits for its time join it. */
let next: Look | undefined;
let lastLook = Number.NEGATIVE_INFINITY;
let looking: Promise<void> = Promise.resolve();

/** A look at all processes: the runs whose processes it kills, and when the first of them began. */
interface Look {
  readonly runIds: Set<string>;
  since: number;
  readonly done: Promise<void>;
}

/**
 * Kills what left the process group (a daemon made by `setsid`) but still carries the run's id in its environment.
 * Only Linux shows other processes' environments; elsewhere the process group is the limit.
 *
 * @param startedAt when this delivery of the run began here; an earlier one may have left something too
 */
export async function killMarked(runId: string, startedAt: number): Promise<void> {
  next ??= planLook();
  next.runIds.add(runId);
  next.since = Math.min(next.since, startedAt - clockMargin, (timeOfId(runId) ?? 0) - clockMargin);
  await next.done;
}

/** A look costs a read per process of the machine, so runs that end together share one that begins after them. */
function planLook(): Look {
  const runIds = new Set<string>();
  const look = async (): Promise<void> => {
    await looking;
    await sleep(Math.max(0, lastLook + lookInterval - performance.now()));
    next = undefined;
    lastLook = performance.now();
    looking = killAll(planned);
    await looking;
  };
  const planned: Look = { runIds, since: Number.POSITIVE_INFINITY, done: Promise.resolve().then(look) };
  return planned;
}

/** Processes that are read before others get their turn: about 2 ms. */
const atOnce = 64;

/**
 * Reads at once, not through the thread pool: nothing of `/proc` waits for a disk, and to read 300 processes by another
 * thread, five steps each, costs 80 ms of processor instead of 9 (measured on two virtual cores).
 */
async function killAll({ runIds, since }: Look): Promise<void> {
  for (const [index, pid] of otherProcesses().entries()) {
    if (index % atOnce === atOnce - 1) await nextTurn();
    if (!isOlder(pid, since) && runIds.has(markOf(pid))) kill(pid);
  }
}

/**
 * A process inherits its mark, so one that was there before the run has none. `/proc` knows when it was first looked at, which
 * is after it began; asking for that costs a fifth of reading an environment.
 */
function isOlder(pid: number, time: number): boolean {
  const seen = lstatSync(`/proc/${pid}`, { throwIfNoEntry: false });
  return seen !== undefined && seen.ctimeMs < time;
}

function otherProcesses(): readonly number[] {
  try {
    const pids = readdirSync('/proc').map(Number);
    return pids.filter((pid) => pid > 1 && pid !== process.pid);
  } catch {
    return [];
  }
}

function markOf(pid: number): string {
  const environment = `\0${environmentOf(pid)}`;
  const at = environment.indexOf(`\0${runMarker}=`);
  return at < 0 ? '' : (environment.slice(at + runMarker.length + 2).split('\0', 1)[0] ?? '');
}

/** Nothing for one that has ended, or is somebody else's. */
function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return '';
  }
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
