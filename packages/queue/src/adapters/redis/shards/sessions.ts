/** Calls that one exchange of the contract may need in each shard: numbers of the contract × this are numbers of the shards. */
export const callsPerExchange = 8;

/** A session as one shard has it. */
export interface Seat {
  /** The shard knows the session. */
  begun: boolean;
  /** Leases that the shard gave it and that are not settled, when it last answered. */
  held: number;
  /** The shard's numbers of calls whose answers never came and that it was not told of. */
  lost: readonly number[];
  /** Those of them that would make the session anew, should they arrive late: told of with every call. */
  lostBegins: readonly number[];
}

/** What is remembered of the sessions of this process. */
export interface Sessions {
  /** A seat in every shard. */
  of(session: string, begins: boolean): readonly Seat[];
  forget(session: string): void;
}

/** Most sessions remembered: of workers that vanish without ending theirs. */
const most = 10_000;

/** Creates {@link Sessions} over this many shards. */
export function createSessions(shards: number): Sessions {
  const known = new Map<string, readonly Seat[]>();
  return {
    of(session, begins) {
      const seats = known.get(session);
      if (seats !== undefined) return seats;
      const fresh = Array.from({ length: shards }, () => ({ begun: !begins, held: 0, lost: [], lostBegins: [] }));
      known.set(session, fresh);
      const [oldest] = known.keys();
      if (known.size > most && oldest !== undefined) known.delete(oldest);
      return fresh;
    },
    forget: (session) => void known.delete(session),
  };
}

/** The shard's numbers for a call of the contract. */
export function callsOf(call: number): number[] {
  return Array.from({ length: callsPerExchange }, (_, round) => call * callsPerExchange + round);
}
