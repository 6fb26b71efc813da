import type { Clock } from '../../clock.ts';
import type { ExchangeAnswer, ExchangeRequest, Settlement } from '../../contract/index.ts';

/** Milliseconds after which an acknowledgement is on the disk, and on a synchronous standby, for certain: PostgreSQL writes at the latest after 0.6 s. */
const remembered = 10_000;

/** Most settlements remembered. */
const most = 50_000;

/** Settles again what a crash of the server may have undone. */
export interface Resettler {
  /** The request, with what its session must settle again put before its own settlements. */
  before(request: ExchangeRequest): ExchangeRequest;
  /** The answer to the caller's request, without what was put before it. */
  after(request: ExchangeRequest, sent: ExchangeRequest, answer: ExchangeAnswer, epoch: number): ExchangeAnswer;
}

interface Settled {
  readonly session: string;
  readonly at: number;
  readonly settlements: readonly Settlement[];
}

/**
 * An exchange is answered before it is on the disk. When the server crashes right then, leases that were settled are there again, in the hands of a session
 * that lives and does not know of them: they would stay for ever. The server shows by another epoch that it has crashed; what was settled in the
 * last seconds is settled again then, under the same fences. What had not been undone is stale, and nobody needs to know.
 */
export function createResettler(clock: Clock): Resettler {
  const pending = new Map<string, Settlement[]>();
  let lately: Settled[] = [];
  let count = 0;
  let known: number | undefined;

  function forgetOld(): void {
    const limit = clock.monotonic() - remembered;
    let first = 0;
    while (first < lately.length && ((lately[first] as Settled).at < limit || count > most)) {
      count -= (lately[first] as Settled).settlements.length;
      first += 1;
    }
    if (first > 0) lately = lately.slice(first);
  }

  function remember(request: ExchangeRequest, answer: ExchangeAnswer): void {
    const settlements = request.settle.filter((_, index) => answer.settled[index] === 'applied');
    if (settlements.length === 0) return;
    lately.push({ session: request.session, at: clock.monotonic(), settlements });
    count += settlements.length;
    forgetOld();
  }

  function repeatAll(): void {
    for (const { session, settlements } of lately) {
      pending.set(session, [...(pending.get(session) ?? []), ...settlements]);
    }
  }

  return {
    before(request) {
      const again = pending.get(request.session);
      return again === undefined ? request : { ...request, settle: [...again, ...request.settle] };
    },
    after(request, sent, answer, epoch) {
      const extra = sent.settle.length - request.settle.length;
      if (extra > 0 || answer.session === 'lost') pending.delete(request.session);
      if (known !== undefined && epoch !== known) repeatAll();
      known = epoch;
      const own = extra > 0 ? { ...answer, settled: answer.settled.slice(extra) } : answer;
      if (answer.session === 'open') remember(request, own);
      return own;
    },
  };
}
