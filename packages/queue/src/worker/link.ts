import { type Clock, defer, sleep } from '../clock.ts';
import type { ClaimedJob, ExchangeAnswer, ExchangeRequest, QueueStorage } from '../contract/index.ts';
import type { Opened } from '../opened.ts';
import { createAlarm } from './alarm.ts';
import { createFlight, type Flight } from './flight.ts';
import { createOffers } from './offers.ts';
import {
  createOutbox,
  mostSettlements,
  type Outbox,
  type Parcel,
  refuseExtensions,
  settleExtensions,
  toRequest,
} from './outbox.ts';
import { createSession, type Session } from './session.ts';

/** Why leases are lost. */
export type LossReason = 'session' | 'deadline-of-lease';

/** An answer, with what it answers. */
export interface Exchanged {
  readonly answer: ExchangeAnswer;
  readonly request: ExchangeRequest;
  readonly parcel: Parcel;
  /** Monotonic time of sending. */
  readonly sentAt: number;
  readonly tripMs: number;
}

/** The worker's connection to the store: it decides *when* to exchange; the worker decides *what*. */
export interface Link {
  readonly outbox: Outbox;
  readonly session: string;
  readonly lastAnswerAt: number | undefined;
  readonly lastError: Error | undefined;
  /** False when the leases may be over; they are given up then. */
  holdsLease(): boolean;
  /** Something has changed here: exchange if there is a reason to. */
  wake(): void;
  /** One last exchange that ends the session; tries a few times, then leaves the rest to the end of the lease. */
  end(): Promise<void>;
}

/** What a link needs. All times are milliseconds. */
export interface LinkParts {
  readonly opened: Opened;
  readonly clock: Clock;
  readonly random: () => number;
  readonly makeId: () => string;
  readonly lease: number;
  readonly margin: number;
  readonly blockedLimit: number;
  readonly pollInterval: number;
  readonly callTimeout: number;
  /** How many jobs the worker could take now. */
  readonly wanted: () => number;
  /** How many jobs the worker can hold. */
  readonly capacity: () => number;
  /** Time until the worker has a reason of its own to be woken. */
  readonly nextTick: () => number | undefined;
  /** Called at each wake-up, before anything else. */
  readonly onTick: () => void;
  readonly onAnswer: (exchanged: Exchanged) => void;
  /** Jobs came without being asked for, because the worker had offered to take some. */
  readonly onHandOff: (jobs: readonly ClaimedJob[], session: string, claimedAt: number) => void;
  readonly onLost: (reason: LossReason) => void;
  readonly onError: (error: unknown) => void;
}

/** Most jobs that promote, sweep and retention touch in one exchange, each. */
const housekeeping = 200;
/** Most jobs claimed in one exchange. */
const mostClaims = 500;
/** Shortest time between exchanges that only the store's clock asked for. */
const shortestNap = 5;
/** How often that time doubles while what is due stays due, e.g. a schedule for which a full queue has no room: to 320 ms. */
const mostStuck = 6;
/** How often the last exchange is tried. */
const endTries = 3;

/** Something is due already, and this exchange found nothing to do. */
function isStuck({ nextDue, claimed, swept }: ExchangeAnswer): boolean {
  const did = claimed.length + swept.promoted + swept.expired.length + swept.forgotten;
  return nextDue !== undefined && nextDue <= 0 && did === 0;
}

/** Creates the link and starts exchanging. */
export function createLink(parts: LinkParts): Link {
  const { clock, opened } = parts;
  const outbox = createOutbox();
  const alarm = createAlarm(clock, () => wake());
  const offers = createOffers({
    clock,
    within: parts.pollInterval,
    onJobs: (jobs, of, claimedAt) => {
      if (of === session && holdsLease()) parts.onHandOff(jobs, of.id, claimedAt);
    },
  });
  let session = newSession();
  let flight: Flight = createFlight();
  let deferred = false;
  /** No call is started any more but the last. */
  let ending = false;
  /** Most calls at a time; the storage says how many it is worth. */
  let mostCalls = 1;
  let unwatch: (() => void) | undefined;
  /** Claiming may give something: nothing was asked yet, a hint came, the last answer was cut short, or time has passed. */
  let promising = true;
  /** The last claim left jobs behind: enough waits for several calls. */
  let deep = false;
  /** Hints so far: one that came after a call was sent may be about jobs that the call did not see. */
  let hints = 0;
  let failures = 0;
  /** Monotonic times: the next poll, the next due time of the store, the end of the pause after a failure. */
  let pollAt = 0;
  let dueAt = Number.POSITIVE_INFINITY;
  /** Exchanges in a row that found nothing to do though something was due. */
  let stuck = 0;
  let retryAt = 0;
  let lastAnswerAt: number | undefined;
  let lastError: Error | undefined;

  function newSession(): Session {
    return createSession({
      id: parts.makeId(),
      clock,
      lease: parts.lease,
      margin: parts.margin,
      blockedLimit: parts.blockedLimit,
      onUncertain: () => lose('deadline-of-lease'),
    });
  }

  function lose(reason: LossReason): void {
    void session.stop();
    session = newSession();
    // Calls of the old session may still be under way; their answers will be about leases that are over.
    flight = createFlight();
    offers.stop();
    promising = true;
    refuseExtensions(outbox.drop());
    parts.onLost(reason);
    wake();
  }

  /** After a pause of the process other timers may fire before the session's own: whoever is about to rely on the lease asks. */
  function holdsLease(): boolean {
    if (!session.begun || session.isCertain()) return true;
    lose('deadline-of-lease');
    return false;
  }

  function wake(): void {
    if (deferred || !mayCall()) return;
    deferred = true;
    defer(clock, () => {
      deferred = false;
      if (mayCall()) step();
    });
  }

  /** Several calls at a time, so that the store works while the handlers do. One while it is not known whether the store is there, and knows us. */
  function mayCall(): boolean {
    return !ending && flight.size < (failures === 0 && session.begun ? mostCalls : 1);
  }

  /** Exchanges now if there is a reason to, else sleeps until there may be one. */
  function step(): void {
    parts.onTick();
    if (flight.size > 0) {
      stepBeside();
      return;
    }
    const now = clock.monotonic();
    const room = parts.wanted();
    const timeIsUp = now >= pollAt || (room > 0 && now >= dueAt);
    if (timeIsUp) promising = true;
    const claim = claimOf(room);
    const reason = timeIsUp || outbox.urgent || claim > 0;
    if (!reason || now < retryAt) {
      alarm.set(Math.max(retryAt, Math.min(pollAt, reason ? retryAt : nextReason(now, room))));
      return;
    }
    void start(claim, false);
    if (deep && mayCall()) stepBeside();
  }

  /** A call beside another costs the store one more: it must carry something. What is left waits for the answer. */
  function stepBeside(): void {
    const claim = deep ? claimOf(parts.wanted() - flight.claims) : 0;
    if (outbox.settlements + claim >= parts.capacity() / 4) void start(claim, false);
  }

  /** While jobs enough wait, a call takes half of what the worker can hold: the other half runs, or travels, meanwhile. */
  function claimOf(room: number): number {
    // What is settled makes room under limits, or lets another job start: it may be claimed in the same call.
    if (room <= 0 || !(promising || outbox.urgent)) return 0;
    return Math.min(room, mostClaims, deep ? halfOfHeld() : room);
  }

  function halfOfHeld(): number {
    return Math.ceil(parts.capacity() / 2);
  }

  function nextReason(now: number, room: number): number {
    return Math.min(
      pollAt,
      room > 0 ? dueAt : Number.POSITIVE_INFINITY,
      now + (parts.nextTick() ?? Number.POSITIVE_INFINITY),
    );
  }

  function start(claim: number, end: boolean): Promise<boolean> {
    const mine = flight;
    return mine.add(claim, (leave) => exchange(claim, end, leave));
  }

  /** Answers whether the store has answered. */
  async function exchange(claim: number, end: boolean, leave: () => void): Promise<boolean> {
    const mine = session;
    // Two calls that begin together share what is to be settled: their answers would come together, too, and the store would rest while both are worked on.
    const parcel = outbox.take(deep && mostCalls > 1 && !end ? halfOfHeld() : mostSettlements);
    const sentAt = clock.monotonic();
    const request = makeRequest(mine, claim, end, parcel, sentAt);
    const hintsBefore = hints;
    try {
      const storage = await opened.storage();
      unwatch ??= storage.watch(onHint);
      mostCalls = storage.exchangesAtOnce ?? 1;
      const answer = await opened.call(() => storage.exchange(request), { timeout: parts.callTimeout });
      leave();
      const tripMs = clock.monotonic() - sentAt;
      if (mine === session) accept(storage, { answer, request, parcel, sentAt, tripMs }, hints > hintsBefore);
      if (mine !== session) refuseExtensions(parcel);
      return true;
    } catch (error) {
      leave();
      if (mine === session) refuse(request, parcel, error);
      else refuseExtensions(parcel);
      return false;
    } finally {
      wake();
    }
  }

  function makeRequest(mine: Session, claim: number, end: boolean, parcel: Parcel, sentAt: number): ExchangeRequest {
    offers.withdraw();
    const call = mine.nextCall();
    // Beside another call, or with jobs enough for one, an offer would be over as soon as it is made: and the store would look for what it has lost.
    const offer = claim > 0 && !deep && flight.size === 1 ? offers.make(mine, sentAt) : undefined;
    return {
      session: mine.id,
      begin: !mine.begun,
      lease: parts.lease,
      call,
      lostCalls: mine.lostCalls(),
      claim,
      ...(offer !== undefined && { offer }),
      housekeeping,
      end,
      ...toRequest(parcel),
    };
  }

  function accept(storage: QueueStorage, exchanged: Exchanged, hinted: boolean): void {
    const { answer, request, parcel, sentAt } = exchanged;
    const now = clock.monotonic();
    failures = 0;
    lastAnswerAt = now;
    lastError = undefined;
    if (answer.session === 'lost') {
      lose('session');
      return;
    }
    const mine = session;
    mine.renewed(sentAt);
    // The answer may come so late that its lease is over already, and the session with it.
    if (mine !== session || !holdsLease()) return;
    if (!request.end) {
      session.keepAlive(storage);
      offers.listen(storage, session);
    }
    offers.answered(request, answer);
    session.told(request.lostCalls);
    promising = hinted || answer.more || (promising && request.claim === 0);
    if (request.claim > 0) deep = answer.more;
    pollAt = now + parts.pollInterval * (0.9 + 0.1 * parts.random());
    stuck = isStuck(answer) ? Math.min(stuck + 1, mostStuck) : 0;
    const nap = shortestNap * 2 ** stuck;
    dueAt = answer.nextDue === undefined ? Number.POSITIVE_INFINITY : now + Math.max(nap, answer.nextDue);
    settleExtensions(parcel, answer, sentAt);
    parts.onAnswer(exchanged);
  }

  /** The call may or may not have had its effect: what it claimed is given back, what it settled is settled again. */
  function refuse(request: ExchangeRequest, parcel: Parcel, error: unknown): void {
    session.lostCall(request.call, request.begin);
    if (session.isHopeless()) {
      void session.stop();
      session = newSession();
    }
    outbox.putBack(parcel);
    failures = Math.min(failures + 1, 6);
    promising = true;
    retryAt = clock.monotonic() + 50 * 2 ** failures * (0.5 + 0.5 * parts.random());
    lastError = error instanceof Error ? error : new Error(String(error));
    parts.onError(error);
  }

  function onHint(hint: 'ready' | 'cancel' | 'finished'): void {
    if (hint === 'finished') return;
    if (hint === 'cancel') pollAt = 0;
    promising = true;
    hints += 1;
    wake();
  }

  async function end(): Promise<void> {
    ending = true;
    for (let tries = 0; tries < endTries; tries += 1) {
      await flight.landed();
      if (await sayAll()) break;
      await sleep(clock, Math.max(0, retryAt - clock.monotonic()));
    }
    alarm.clear();
    unwatch?.();
    offers.stop();
    await session.stop();
  }

  async function sayAll(): Promise<boolean> {
    while (outbox.settlements > mostSettlements) if (!(await start(0, false))) return false;
    return start(0, true);
  }

  wake();
  return {
    outbox,
    get session() {
      return session.id;
    },
    get lastAnswerAt() {
      return lastAnswerAt;
    },
    get lastError() {
      return lastError;
    },
    holdsLease,
    wake,
    end,
  };
}
