import { setTimeout as sleep } from 'node:timers/promises';
import type { Mill } from './mill.ts';

/** Jobs enqueued one batch after another, and the longest time in which none was accepted. */
export interface Stream {
  /** Accepted so far. */
  readonly ids: string[];
  readonly gap: () => number;
  stop(): Promise<void>;
}

/** Enqueues without end, jobs of `tenants` tenants in turn. */
export function produce(mill: Mill, tenants?: number): Stream {
  const ids: string[] = [];
  let going = true;
  let longest = 0;
  const run = async (): Promise<void> => {
    for (let part = 0; going; part += 1) {
      const from = performance.now();
      ids.push(...(await mill.enqueueAll(5, `part-${part}`, tenants)));
      longest = Math.max(longest, performance.now() - from);
      await sleep(5);
    }
  };
  const running = run();
  return {
    ids,
    gap: () => Math.round(longest),
    stop: () => {
      going = false;
      return running;
    },
  };
}

export async function isEmpty({ queue }: Mill): Promise<boolean> {
  const { ready, delayed, leased } = await queue.inspect.counts();
  return ready + delayed + leased === 0;
}

/** Says what a failover has cost. */
export function report(what: string, { ledger }: Mill, ids: readonly string[]): { readonly lost: number } {
  const lost = ids.filter((id) => !ledger.runs.has(id)).length;
  const again = [...ledger.runs.values()].filter((times) => times > 1).length;
  console.info(`${what}: of ${ids.length} accepted jobs ${lost} lost, ${again} run again`);
  return { lost };
}
