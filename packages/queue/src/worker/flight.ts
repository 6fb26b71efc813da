/** Exchanges under way, of one session. */
export interface Flight {
  readonly size: number;
  /** How many jobs their answers may bring. */
  readonly claims: number;
  /** Adds a call that may bring `claims` jobs; it calls `leave` as soon as it is answered, before anything is made of the answer. */
  add(claims: number, run: (leave: () => void) => Promise<boolean>): Promise<boolean>;
  /** Resolves when none is under way any more. */
  landed(): Promise<void>;
}

/** Creates a flight with no calls. */
export function createFlight(): Flight {
  const calls = new Set<Promise<boolean>>();
  let size = 0;
  let claims = 0;

  function add(claim: number, run: (leave: () => void) => Promise<boolean>): Promise<boolean> {
    size += 1;
    claims += claim;
    let under = true;
    const leave = (): void => {
      if (!under) return;
      under = false;
      size -= 1;
      claims -= claim;
    };
    const call = run(leave).finally(() => calls.delete(call));
    calls.add(call);
    return call;
  }

  return {
    get size() {
      return size;
    },
    get claims() {
      return claims;
    },
    add,
    landed: async () => {
      await Promise.all(calls);
    },
  };
}
