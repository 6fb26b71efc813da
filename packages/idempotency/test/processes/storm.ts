import {
  createIdempotency,
  IdempotencyError,
  IdempotencyInProgressError,
  type IdempotencyStore,
} from '../../src/index.ts';
import type { Child } from './protocol.ts';

/** What 1,000 concurrent identical calls came to. */
export interface StormResult {
  readonly executed: number;
  readonly replayed: number;
  readonly refused: number;
  readonly errors: readonly string[];
}

/** As many concurrent identical calls as asked for, in this process. */
export async function stormHere<Tx>(store: IdempotencyStore<Tx>, key: string, calls: number): Promise<StormResult> {
  const idempotency = createIdempotency({ store, sweepInterval: false, storeTimeout: '60s' });
  const tally = { executed: 0, replayed: 0, refused: 0, errors: [] as string[] };
  const one = async (): Promise<void> => {
    try {
      const work = async () => ({ by: process.pid });
      const { replayed } = await idempotency.run({ tenant: 't', operation: 'storm', key, input: { key } }, work);
      tally[replayed ? 'replayed' : 'executed'] += 1;
    } catch (error) {
      if (error instanceof IdempotencyInProgressError) tally.refused += 1;
      else tally.errors.push(String(error instanceof IdempotencyError ? error.cause : error));
    }
  };
  await Promise.all(Array.from({ length: calls }, one));
  return tally;
}

/** Lets all processes call with one key at the same moment. */
export async function storm(children: readonly Child[], key: string, calls: number): Promise<StormResult> {
  for (const child of children) child.send({ do: 'storm', key, calls: calls / children.length });
  const reports = await Promise.all(children.map((child) => child.next('storm')));
  const sum = (of: 'executed' | 'replayed' | 'refused'): number => reports.reduce((all, one) => all + one[of], 0);
  return {
    executed: sum('executed'),
    replayed: sum('replayed'),
    refused: sum('refused'),
    errors: reports.flatMap(({ errors }) => errors),
  };
}
