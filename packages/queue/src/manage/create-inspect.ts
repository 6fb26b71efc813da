import { type Codec, decodeValue } from '../codec.ts';
import type { JobFilter, JobView, Page } from '../contract/index.ts';
import type { Opened } from '../opened.ts';
import type { CallOptions } from '../queue.ts';
import type { Inspect, JobDetails, PageOptions } from './inspect.ts';

/** Decodes what the codec encoded. */
export async function toDetails(codec: Codec, view: JobView): Promise<JobDetails> {
  const { payload, result, progress, ...rest } = view;
  return {
    ...rest,
    payload: await decodeValue(codec, payload),
    ...(result !== undefined && { result: await decodeValue(codec, result) }),
    ...(progress !== undefined && { progress: await decodeValue(codec, progress) }),
  };
}

/** Reads one page of jobs. */
export async function readPage(
  opened: Opened,
  codec: Codec,
  filter: JobFilter,
  { cursor, limit = 100, ...options }: PageOptions = {},
): Promise<Page<JobDetails>> {
  const input = { filter, limit, ...(cursor !== undefined && { cursor }) };
  const page = await opened.call((storage) => storage.control('list', input), options);
  const items = await Promise.all(page.items.map((view) => toDetails(codec, view)));
  return page.cursor === undefined ? { items } : { items, cursor: page.cursor };
}

/** Creates `queue.inspect`. */
export function createInspect(opened: Opened, codec: Codec): Inspect {
  const counts = (options?: CallOptions) => opened.call((storage) => storage.control('counts', {}), options);
  return {
    counts,
    oldestAge: async (options) => (await counts(options)).oldestReadyAge,
    job: async (id, options) => {
      const view = await opened.call((storage) => storage.control('job', { id }), options);
      return view && toDetails(codec, view);
    },
    jobs: (filter, options) => readPage(opened, codec, filter, options),
    explain: (id, options) => opened.call((storage) => storage.control('explain', { id }), options),
    tenants: ({ cursor, limit = 100, ...options } = {}) =>
      opened.call((storage) => storage.control('tenants', { limit, ...(cursor !== undefined && { cursor }) }), options),
    priorities: (options) => opened.call((storage) => storage.control('priorities', {}), options),
  };
}
