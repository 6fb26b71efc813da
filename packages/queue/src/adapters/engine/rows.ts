import type { JobFailure, JobState, QueueSettings, TenantLimits } from '../../contract/index.ts';

/** A tenant as the engine works on it. */
export interface TenantRow {
  name: string;
  limits: TenantLimits;
  paused: boolean;
  ready: number;
  delayed: number;
  leased: number;
  waitingBytes: number;
  /** Virtual time: where the tenant's next claim starts on the common scale. */
  vtime: number;
  /** Theoretical arrival time of its rate limit (GCRA). */
  tat: number;
  spent: number;
  /** Number of the budget window that `spent` belongs to. */
  window: number;
  /** It has lines that stand outside their rings because a limit holds them. */
  held: boolean;
  /** When rate or budget let its held lines run again; undefined when only something else can. */
  parkedUntil: number | undefined;
  /** It waits to be saved at the end of the call: see {@link touch}. */
  touched: boolean;
  /** Where the tables keep it, and its lines; the engine leaves these alone. */
  parkSlot: number;
  lines: LineRow | Map<number, LineRow> | undefined;
}

/**
 * The ready jobs of one tenant and priority class, first in, first out. The line has one place in the ring of its class, so what is done
 * for a claim does not depend on how many jobs, tenants and classes wait.
 */
export interface LineRow {
  readonly tenant: TenantRow;
  readonly priority: number;
  /** Its place in the ring. May be behind the virtual time of the tenant, which is served in other classes too: put right when its turn comes. */
  score: number;
  /** `new`: without jobs, known to nobody yet. `ringed`: waits for its turn. `held`: a limit keeps it out of the ring. */
  state: 'new' | 'ringed' | 'held';
  /** Where the tables keep it; the engine leaves these alone. */
  ringRun: number;
  ringSlot: number;
}

/** A priority class with lines in its ring. */
export interface ClassRow {
  readonly priority: number;
  /** When it had its last turn, or got its first line: aging counts from here. */
  since: number;
  /** Where the tables keep it; the engine leaves this alone. */
  classSlot: number;
}

/** Count and bytes of what is kept of one finished state. */
export interface Kept {
  count: number;
  bytes: number;
}

/** The state of the queue as a whole. */
export interface QueueRow {
  settings: QueueSettings;
  paused: boolean;
  fence: number;
  seq: number;
  /** The virtual time that the queue has reached. */
  vclock: number;
  tat: number;
  /** The latest `readyAt` given to a ready job: the next is not before it, so that a clock set back does not upset the order. */
  lastReadyAt: number;
  ready: number;
  delayed: number;
  leased: number;
  waitingBytes: number;
  succeeded: Kept;
  dead: Kept;
  cancelled: Kept;
}

/** What a queue row holds besides its settings. */
export type QueueState = Omit<QueueRow, 'settings'>;

/** The state of a queue that nothing has happened in yet. */
export function newQueueState(): QueueState {
  return {
    paused: false,
    fence: 0,
    seq: 0,
    vclock: 0,
    tat: 0,
    lastReadyAt: 0,
    ready: 0,
    delayed: 0,
    leased: 0,
    waitingBytes: 0,
    succeeded: { count: 0, bytes: 0 },
    dead: { count: 0, bytes: 0 },
    cancelled: { count: 0, bytes: 0 },
  };
}

/** A worker's session. */
export interface SessionRow {
  id: string;
  expiresAt: number;
  /** Calls up to this one may no longer claim. */
  barrier: number;
  /** Expired or ended: its leases are on their way back. */
  over: boolean;
  /** Ended by its worker: what it still holds goes back without counting the attempt. */
  polite: boolean;
}

/** Who holds a dedupe key. */
export interface DedupeRow {
  key: string;
  jobId: string;
  /** The key is free from then on; undefined: until the job says so. */
  until: number | undefined;
  /** `debounce`: latest start. */
  latest: number | undefined;
  /** `keep-last`: the job that waits for the end of `jobId`. */
  nextId: string | undefined;
}

/** What a parent keeps of a finished child. */
export interface ChildRow {
  parentId: string;
  id: string;
  name: string;
  state: JobState;
  result: string | undefined;
  failure: JobFailure | undefined;
}
