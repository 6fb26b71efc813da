import type { ControlInput, JobFilter, JobView, Page } from '../../contract/index.ts';
import { escapeField } from './body.ts';
import type { RunControl } from './control.ts';
import { jobView, type ViewReply } from './job-view.ts';

const pageLimit = 500;

interface Found {
  readonly number: number;
  readonly id: string;
  /** Where it was found. */
  readonly run: RunControl;
}

function hashesOf({ state }: JobFilter): readonly ('b' | 'f')[] {
  if (state === undefined) return ['b', 'f'];
  return state === 'ready' || state === 'delayed' || state === 'leased' ? ['b'] : ['f'];
}

/** Walks over the jobs of a shard in steps of about 200: each step is one bounded call, so the answer is no snapshot. */
async function* walk(run: RunControl, filter: JobFilter, after?: number): AsyncGenerator<readonly Found[]> {
  const wanted = {
    ...filter,
    ...(filter.tenant !== undefined && { tenant: escapeField(filter.tenant) }),
    ...(after !== undefined && { after }),
  };
  for (const hash of hashesOf(filter)) {
    let cursor = '0';
    do {
      const [next, flat] = (await run('scan', { hash, cursor, filter: wanted })) as [string, string[]];
      cursor = next;
      yield Array.from({ length: flat.length / 2 }, (_, index) => ({
        number: Number(flat[index * 2]),
        id: flat[index * 2 + 1] ?? '',
        run,
      }));
    } while (cursor !== '0');
  }
}

async function* walkAll(runs: readonly RunControl[], filter: JobFilter, after?: number): ReturnType<typeof walk> {
  for (const run of runs) yield* walk(run, filter, after);
}

/** How many jobs match. A walk over all jobs: for people. */
export async function countJobs(runs: readonly RunControl[], { filter }: ControlInput<'count'>): Promise<number> {
  const ids = new Set<string>();
  for await (const step of walkAll(runs, filter)) for (const { id } of step) ids.add(id);
  return ids.size;
}

/**
 * A page in the order of enqueueing. A hash has no order: each page is a walk that keeps the first `limit` after the cursor.
 * For people; a dashboard over millions of jobs should filter by state and read counters.
 */
export async function listJobs(
  runs: readonly RunControl[],
  { filter, cursor, limit }: ControlInput<'list'>,
): Promise<Page<JobView>> {
  const size = Math.min(limit, pageLimit);
  let first: Found[] = [];
  for await (const step of walkAll(runs, filter, cursor === undefined ? undefined : Number(cursor))) {
    const numbers = new Map([...first, ...step].map((found) => [found.id, found]));
    first = [...numbers.values()].sort((a, b) => a.number - b.number).slice(0, size);
  }
  if (first.length === 0) return { items: [] };
  const last = first.length === size ? first.at(-1) : undefined;
  return { items: await viewsOf(first), ...(last !== undefined && { cursor: String(last.number) }) };
}

/** The jobs that are still there, in the order of `found`. */
async function viewsOf(found: readonly Found[]): Promise<JobView[]> {
  const runs = [...new Set(found.map(({ run }) => run))];
  const replies = await Promise.all(
    runs.map((run) => run('views', { ids: found.filter((one) => one.run === run).map(({ id }) => id) })),
  );
  const views = new Map((replies as ViewReply[][]).flat().map((reply) => [reply[0], jobView(reply)]));
  return found.flatMap(({ id }) => views.get(id) ?? []);
}
