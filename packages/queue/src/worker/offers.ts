import type { Clock } from '../clock.ts';
import type { ClaimedJob, ExchangeAnswer, ExchangeRequest, HandOff, Offer, QueueStorage } from '../contract/index.ts';
import type { Session } from './session.ts';

/** What a worker without work has offered to the store: to be handed jobs without asking for them. One offer stands at a time. */
export interface Offers {
  /** The offer that goes with a claim; undefined where the store takes none. */
  make(session: Session, sentAt: number): Offer | undefined;
  /** The offer is over, because another call is sent: its jobs, if there are any under way, are given back. */
  withdraw(): void;
  /** The call that carried the offer is answered. */
  answered(request: ExchangeRequest, answer: ExchangeAnswer): void;
  /** Listens for what is handed to this session. */
  listen(storage: QueueStorage, session: Session): void;
  /** Nothing that arrives from now on counts. */
  stop(): void;
}

/** What offers need. */
export interface OffersParts {
  readonly clock: Clock;
  /** Milliseconds for which an offer stands. */
  readonly within: number;
  /** Jobs have been handed over; `claimedAt` is monotonic, and not later than their leases began. */
  readonly onJobs: (jobs: readonly ClaimedJob[], session: Session, claimedAt: number) => void;
}

interface Standing {
  readonly session: Session;
  readonly call: number;
  readonly sentAt: number;
  /** The store's clock at the call that carried the offer; undefined until it is answered. */
  storeTime: number | undefined;
}

/** Creates {@link Offers}. */
export function createOffers({ clock, within, onJobs }: OffersParts): Offers {
  let standing: Standing | undefined;
  let listening: { readonly session: Session; readonly stop: () => void } | undefined;

  /** The lease began as long after the offer as the store's clock says, if it did not jump: then at the latest now. */
  function beginOf({ sentAt, storeTime }: Standing, handOff: HandOff): number {
    if (storeTime === undefined) return sentAt;
    return Math.min(clock.monotonic(), sentAt + Math.max(0, handOff.now - storeTime));
  }

  function receive(session: Session, handOff: HandOff): void {
    const offer = standing;
    if (offer === undefined || offer.session !== session || offer.call !== handOff.call) return;
    standing = undefined;
    onJobs(handOff.jobs, session, beginOf(offer, handOff));
  }

  return {
    make(session, sentAt) {
      if (listening?.session !== session) return undefined;
      const call = session.nextCall();
      standing = { session, call, sentAt, storeTime: undefined };
      return { call, within };
    },
    withdraw() {
      standing?.session.lostCall(standing.call);
      standing = undefined;
    },
    answered({ claim, offer }, { claimed, now }) {
      if (standing === undefined || standing.call !== offer?.call) return;
      if (claimed.length < claim) standing.storeTime = now;
      else standing = undefined;
    },
    listen(storage, session) {
      if (storage.handOffs === undefined || listening?.session === session) return;
      listening?.stop();
      listening = { session, stop: storage.handOffs(session.id, (handOff) => receive(session, handOff)) };
    },
    stop() {
      listening?.stop();
      listening = undefined;
      standing = undefined;
    },
  };
}
