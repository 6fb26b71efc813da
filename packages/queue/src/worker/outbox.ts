import type { ExchangeAnswer, ExchangeRequest, Settlement } from '../contract/exchange.ts';
import { LeaseLostError, StaleLeaseError } from '../errors.ts';
import type { Attempt } from './attempt.ts';

/** A settlement on its way. */
export interface OutgoingSettlement {
  readonly attempt: Attempt;
  readonly settlement: Settlement;
  /** Sent before in a call whose answer never came: `stale` may mean that that call settled it. */
  readonly again: boolean;
}

/** An extension on its way, and who waits for it. */
export interface OutgoingExtension {
  readonly attempt: Attempt;
  readonly visibility: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** What one exchange carries to the store. */
export interface Parcel {
  readonly settle: readonly OutgoingSettlement[];
  readonly extend: readonly OutgoingExtension[];
  readonly progress: readonly {
    readonly attempt: Attempt;
    readonly value?: string;
    readonly logs?: readonly string[];
  }[];
}

/** What is to be told to the store with the next exchange. */
export interface Outbox {
  /** Something in it must not wait for the next poll. */
  readonly urgent: boolean;
  /** How many settlements wait. */
  readonly settlements: number;
  settle(attempt: Attempt, settlement: Settlement): void;
  extend(attempt: Attempt, visibility: number): Promise<void>;
  progress(attempt: Attempt, value: string | undefined, logs: readonly string[]): void;
  /** Takes everything out, up to the bound of one call, and of settlements up to `most`. @default mostSettlements */
  take(most?: number): Parcel;
  /** Puts a parcel back whose call failed. */
  putBack(parcel: Parcel): void;
  /** The session is lost: nothing of this is worth sending. Answers what was dropped. */
  drop(): Parcel;
}

/** Most settlements in one call; as many entries of each other kind. */
export const mostSettlements = 500;

/** Creates an empty outbox. */
export function createOutbox(): Outbox {
  let settle: OutgoingSettlement[] = [];
  let extend: OutgoingExtension[] = [];
  const progress = new Map<Attempt, { value?: string; logs: string[] }>();

  function takeProgress(): Parcel['progress'] {
    const entries = [...progress].slice(0, mostSettlements);
    for (const [attempt] of entries) progress.delete(attempt);
    return entries
      .filter(([attempt]) => !attempt.over)
      .map(([attempt, { value, logs }]) => ({ attempt, logs, ...(value !== undefined && { value }) }));
  }

  /** The list itself, where it has no more than may be taken. */
  function takeSettlements(most: number): OutgoingSettlement[] {
    if (settle.length > most) return settle.splice(0, most);
    const taken = settle;
    settle = [];
    return taken;
  }

  function addProgress(attempt: Attempt, value: string | undefined, logs: readonly string[]): void {
    const entry = progress.get(attempt) ?? { logs: [] };
    entry.logs.push(...logs);
    if (value !== undefined) entry.value = value;
    progress.set(attempt, entry);
  }

  return {
    get urgent() {
      return settle.length > 0 || extend.length > 0;
    },
    get settlements() {
      return settle.length;
    },
    settle: (attempt, settlement) => void settle.push({ attempt, settlement, again: false }),
    extend: (attempt, visibility) =>
      new Promise((resolve, reject) => {
        extend.push({ attempt, visibility, resolve, reject });
      }),
    progress: addProgress,
    take: (most = mostSettlements) => ({
      settle: takeSettlements(Math.min(most, mostSettlements)),
      extend: extend.splice(0, mostSettlements),
      progress: takeProgress(),
    }),
    putBack: (parcel) => {
      settle = [...parcel.settle.map((entry) => ({ ...entry, again: true })), ...settle];
      extend = [...parcel.extend, ...extend];
      for (const { attempt, value, logs = [] } of parcel.progress) {
        const newer = progress.get(attempt);
        progress.delete(attempt);
        addProgress(attempt, value, logs);
        if (newer !== undefined) addProgress(attempt, newer.value, newer.logs);
      }
    },
    drop: () => {
      const parcel = { settle, extend, progress: [] };
      settle = [];
      extend = [];
      progress.clear();
      return parcel;
    },
  };
}

/** The part of a request that comes from a parcel. */
export function toRequest(parcel: Parcel): Pick<ExchangeRequest, 'settle' | 'extend' | 'progress'> {
  return {
    settle: parcel.settle.map(({ settlement }) => settlement),
    extend: parcel.extend.map(({ attempt, visibility }) => ({ ...leaseOf(attempt), visibility })),
    progress: parcel.progress.map(({ attempt, ...entry }) => ({ ...leaseOf(attempt), ...entry })),
  };
}

function leaseOf({ job }: Attempt): { readonly jobId: string; readonly fence: number } {
  return { jobId: job.id, fence: job.fence };
}

/** Tells those who wait for extensions how it went; `sentAt` is monotonic. */
export function settleExtensions(parcel: Parcel, answer: ExchangeAnswer, sentAt: number): void {
  for (const [index, { attempt, visibility, resolve, reject }] of parcel.extend.entries()) {
    if (answer.extended[index] === 'applied') {
      attempt.extendTo(sentAt, visibility);
      resolve();
    } else {
      reject(new StaleLeaseError(attempt.job.id, attempt.job.fence));
    }
  }
}

/** Tells those who wait for extensions that their leases are over. */
export function refuseExtensions(parcel: Parcel): void {
  for (const { reject } of parcel.extend) reject(new LeaseLostError('The lease ended before it was extended.'));
}
