import type { Store } from '../store.ts';

/** The functions of the test runner (vitest, node:test, mocha, jest). */
export interface TestFunctions {
  describe(title: string, body: () => void): void;
  it(title: string, body: () => Promise<void>): void;
}

/** A store to be proven. */
export interface StoreUnderTest<Part extends keyof Store> {
  /** A store whose state is empty, or at least not shared with the other tests. */
  readonly store: Pick<Store, Part>;
  /** Lets the store's clock advance by `ms`: waits, or moves a manual clock. */
  advance(ms: number): Promise<void>;
  /** Releases what was opened. */
  close(): Promise<void>;
}

/** Opens a store for one test. */
export type OpenStore<Part extends keyof Store> = () => Promise<StoreUnderTest<Part>>;

/** Runs one test body with a store that is closed whatever happens. */
export async function withStore<Part extends keyof Store>(
  open: OpenStore<Part>,
  body: (under: StoreUnderTest<Part>) => Promise<void>,
): Promise<void> {
  const under = await open();
  try {
    await body(under);
  } finally {
    await under.close();
  }
}

let counter = 0;

/** A name that no other test uses, so that tests may share a server. */
export function unique(prefix: string): string {
  counter += 1;
  return `${prefix}-${process.pid}-${Date.now().toString(36)}-${counter}`;
}
