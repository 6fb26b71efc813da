import type { JobFilter, JobView, QueueStorage } from '../contract/index.ts';
import { assertInteger } from '../job.ts';
import type { Opened } from '../opened.ts';
import type { CallOptions } from '../queue.ts';
import type { Bulk } from './bulk.ts';

/** Does something with the ids of a page and answers to how many it was done. */
type Action = (storage: QueueStorage, ids: readonly string[], done: number) => Promise<number>;

/** Walks over all jobs that match, page by page, and acts on those that `wanted` lets through. */
export async function forAll(
  opened: Opened,
  filter: JobFilter,
  wanted: (view: JobView) => boolean,
  act: Action,
  options: CallOptions = {},
): Promise<number> {
  let cursor: string | undefined;
  let done = 0;
  do {
    const input = { filter, limit: 500, ...(cursor !== undefined && { cursor }) };
    const page = await opened.call((storage) => storage.control('list', input), options);
    const ids = page.items.filter(wanted).map(({ id }) => id);
    if (ids.length > 0) done += await opened.call((storage) => act(storage, ids, done), options);
    cursor = page.cursor;
  } while (cursor !== undefined);
  return done;
}

const isWaiting = ({ state }: JobView): boolean => state === 'ready' || state === 'delayed';
const isFinished = ({ state }: JobView): boolean => !['ready', 'delayed', 'leased'].includes(state);

/** Creates what `queue.bulk(filter)` answers. */
export function createBulk(opened: Opened, filter: JobFilter): Bulk {
  return {
    count: (options) => opened.call((storage) => storage.control('count', { filter }), options),
    cancel: (options) =>
      forAll(
        opened,
        filter,
        (view) => !isFinished(view),
        async (storage, ids) => {
          const answers = await storage.control('cancel', { ids });
          return answers.filter((answer) => answer === 'cancelled' || answer === 'requested').length;
        },
        options,
      ),
    setPriority: async (priority, options) => {
      assertInteger('priority', priority, -1_000, 1_000);
      return forAll(
        opened,
        filter,
        isWaiting,
        (storage, ids) => storage.control('setPriority', { ids, priority }),
        options,
      );
    },
    promote: (options) =>
      forAll(
        opened,
        filter,
        ({ state }) => state === 'delayed',
        (storage, ids) => storage.control('promote', { ids }),
        options,
      ),
    purge: (options) =>
      forAll(opened, filter, isFinished, (storage, ids) => storage.control('purge', { ids }), options),
  };
}
