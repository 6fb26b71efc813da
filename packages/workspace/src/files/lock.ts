import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive, type Owner } from './owner.ts';
import { createRecord, orMissing, readRecord, writeRecord } from './record.ts';

/** Pause between two looks at a lock that another holds, in milliseconds; a tenth to ten tenths of it, at random. */
const POLL_MS = 40;

interface Ticket {
  readonly owner: Owner;
  readonly released: boolean;
}

/** A lock that is held. */
export interface HeldLock extends AsyncDisposable {
  /** Grows with every holder of this lock. */
  readonly fence: number;
  /** Lets the next one in. */
  release(): Promise<void>;
}

/** Where a lock is and for whom. */
export interface LockRequest {
  /** Folder of the lock; it holds nothing else. */
  readonly folder: string;
  /** Who takes it. */
  readonly owner: Owner;
  /** Folder of the heartbeats. */
  readonly owners: string;
  /** Gives up waiting. */
  readonly signal?: AbortSignal | undefined;
}

const ticketName = (number: number): string => `${number}.ticket`;

async function ticketNumbers(folder: string): Promise<number[]> {
  const names = (await readdir(folder).catch(orMissing)) ?? [];
  return names
    .filter((name) => name.endsWith('.ticket'))
    .map((name) => Number.parseInt(name, 10))
    .sort((left, right) => left - right);
}

async function isFree(request: LockRequest, highest: number): Promise<boolean> {
  if (highest === 0) return true;
  const ticket = await readRecord<Ticket>(join(request.folder, ticketName(highest)));
  // Gone between two looks: somebody took a higher number and tidied up.
  if (ticket === undefined) return false;
  return ticket.released || !(await isAlive(request.owners, ticket.owner));
}

/**
 * Tries once. Tickets are numbered; the highest one is the lock's state and is never deleted, only followed by a higher
 * one that is created exclusively. So a dead holder is replaced by exactly one successor, without the usual race of
 * "remove the stale file, then create mine" in which two waiters win.
 */
export async function tryLock(request: LockRequest): Promise<HeldLock | undefined> {
  const { folder, owner } = request;
  const highest = (await ticketNumbers(folder)).at(-1) ?? 0;
  if (!(await isFree(request, highest))) return undefined;
  const mine = highest + 1;
  const path = join(folder, ticketName(mine));
  if (!(await createRecord(path, { owner, released: false } satisfies Ticket))) return undefined;
  const after = await ticketNumbers(folder);
  if (after.at(-1) !== mine) {
    // A slow looker: others have passed, and the number was free only because they tidied it away.
    await rm(path, { force: true });
    return undefined;
  }
  await Promise.all(after.slice(0, -1).map((number) => rm(join(folder, ticketName(number)), { force: true })));
  const release = (): Promise<void> => writeRecord(path, { owner, released: true } satisfies Ticket);
  return { fence: mine, release, [Symbol.asyncDispose]: release };
}

/** The end of the line at each folder. Callers of one process queue here, so that only the first of them polls. */
const lines = new Map<string, Promise<void>>();

function orAbort(wait: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return wait;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    void wait.then(() => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
  });
}

async function poll(request: LockRequest): Promise<HeldLock> {
  for (;;) {
    request.signal?.throwIfAborted();
    const held = await tryLock(request);
    if (held !== undefined) return held;
    await sleep(POLL_MS * (0.1 + 0.9 * Math.random()), undefined, request.signal ? { signal: request.signal } : {});
  }
}

/** Takes a place in the line; the answer waits for those before it, and `leave` lets the next one go on. */
function queueAt(folder: string): { readonly before: Promise<void>; readonly leave: () => void } {
  const before = lines.get(folder) ?? Promise.resolve();
  let leave = (): void => undefined;
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const end = before.then(() => gone);
  lines.set(folder, end);
  void end.then(() => {
    if (lines.get(folder) === end) lines.delete(folder);
  });
  return { before, leave };
}

/** Waits for a lock. @throws the signal's reason when it is aborted */
export async function lock(request: LockRequest): Promise<HeldLock> {
  const { before, leave } = queueAt(request.folder);
  try {
    await orAbort(before, request.signal);
    await mkdir(request.folder, { recursive: true });
    const held = await poll(request);
    const release = (): Promise<void> => held.release().finally(leave);
    return { fence: held.fence, release, [Symbol.asyncDispose]: release };
  } catch (error) {
    leave();
    throw error;
  }
}
