import { type Clock, sleep } from './clock.ts';
import { type Codec, decodeValue } from './codec.ts';
import type { JobView, QueueStorage } from './contract/index.ts';
import { ResultUnavailableError } from './errors.ts';
import type { Opened } from './opened.ts';
import type { CallOptions } from './queue.ts';

/** Longest time between two looks at a job that somebody waits for. */
const pollInterval = 500;

/** Waits for a job to end and answers its decoded result. @throws ResultUnavailableError */
export async function waitForResult(
  opened: Opened,
  clock: Clock,
  codec: Codec,
  jobId: string,
  { signal }: CallOptions = {},
): Promise<unknown> {
  const storage = await opened.storage();
  let seen = false;
  for (;;) {
    const wake = hintOf(storage);
    try {
      const view = await opened.call(() => storage.control('job', { id: jobId }), signal && { signal });
      if (view === undefined) {
        throw unavailable(jobId, 'unknown', seen ? 'ended, and its result was not kept' : 'is not known');
      }
      seen = true;
      if (view.finishedAt !== undefined) return await readResult(codec, view);
      await wake.wait(clock, signal);
    } finally {
      wake.stop();
    }
  }
}

async function readResult(codec: Codec, view: JobView): Promise<unknown> {
  if (view.state === 'succeeded') return view.result === undefined ? undefined : decodeValue(codec, view.result);
  const failure = view.failures.at(-1)?.message ?? 'no failure was noted';
  throw unavailable(view.id, view.state === 'dead' ? 'dead' : 'cancelled', `ended ${view.state} (${failure})`);
}

function unavailable(id: string, state: ResultUnavailableError['state'], what: string): ResultUnavailableError {
  return new ResultUnavailableError(
    `Job ${id} ${what}. Give it \`keepResult\` (in defineJob or enqueue) to have its result kept.`,
    state,
  );
}

/** Listens from now on, so that an end between the look and the wait is not missed. */
function hintOf(storage: QueueStorage): { wait(clock: Clock, signal?: AbortSignal): Promise<void>; stop(): void } {
  const heard = new AbortController();
  const stop = storage.watch((hint) => {
    if (hint === 'finished') heard.abort();
  });
  return {
    stop,
    wait: async (clock, signal) => {
      const either = signal === undefined ? heard.signal : AbortSignal.any([heard.signal, signal]);
      await sleep(clock, pollInterval, either).catch(() => undefined);
      signal?.throwIfAborted();
    },
  };
}
