import type { Child } from './protocol.ts';

/** What 1,000 concurrent identical calls came to. */
export interface StormResult {
  readonly executed: number;
  readonly replayed: number;
  readonly refused: number;
  readonly errors: readonly string[];
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
