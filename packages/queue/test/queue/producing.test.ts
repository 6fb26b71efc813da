import {
  createQueue,
  defineJob,
  InvalidOptionError,
  PayloadInvalidError,
  QueueFullError,
  systemClock,
  UnknownJobError,
} from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createIdMaker } from '../../src/id.ts';
import { workQueue } from './support.ts';

describe('enqueue', () => {
  it('answers accepted with an id that sorts by time', async () => {
    await using queue = workQueue();
    const first = await queue.enqueue('work', { n: 1 });
    const second = await queue.enqueue('work', { n: 2 });
    expect(first.status).toBe('accepted');
    expect(second.id > first.id).toBe(true);
  });

  it('refuses a payload that does not fit, and says where', async () => {
    await using queue = workQueue();
    // @ts-expect-error: the payload must have `n`
    const error = await queue.enqueue('work', { m: 1 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(PayloadInvalidError);
    expect((error as Error).message).toMatch(/n: /);
    expect((await queue.inspect.counts()).ready).toBe(0);
  });

  it('refuses a job that nobody has defined', async () => {
    await using queue = workQueue();
    // @ts-expect-error: the queue has no such job
    await expect(queue.enqueue('play', { n: 1 })).rejects.toBeInstanceOf(UnknownJobError);
  });

  it.each([
    ['priority', { priority: 1.5 }],
    ['priority', { priority: 1_001 }],
    ['maxAttempts', { maxAttempts: 0 }],
    ['id', { id: 'with space' }],
    ['tenant', { tenant: 'x'.repeat(201) }],
    ['dedupe', { dedupe: '' }],
  ])('refuses a bad %s', async (_name, options) => {
    await using queue = workQueue();
    await expect(queue.enqueue('work', { n: 1 }, options)).rejects.toBeInstanceOf(InvalidOptionError);
  });

  it('refuses a malformed duration at compile time and at run time', async () => {
    await using queue = workQueue();
    // @ts-expect-error: not a duration
    const malformed = queue.enqueue('work', { n: 1 }, { delay: 'soon' });
    await expect(malformed).rejects.toMatchObject({ code: 'ERR_INVALID_DURATION' });
  });

  it('refuses a payload that is too large', async () => {
    await using queue = createQueue({
      adapter: memoryAdapter(),
      jobs: [defineJob('text', z.string())],
      maxPayloadBytes: 10,
    });
    await expect(queue.enqueue('text', 'x'.repeat(20))).rejects.toMatchObject({ code: 'ERR_PAYLOAD_TOO_LARGE' });
  });

  it('stops when the signal has aborted', async () => {
    await using queue = workQueue();
    const signal = AbortSignal.abort(new Error('no longer wanted'));
    await expect(queue.enqueue('work', { n: 1 }, { signal })).rejects.toThrow('no longer wanted');
    expect((await queue.inspect.counts()).ready).toBe(0);
  });

  it('throws QueueFullError with retryAfter; tryEnqueue answers it', async () => {
    await using queue = workQueue({}, { settings: { limits: { maxWaiting: 1 } } });
    await queue.enqueue('work', { n: 1 });
    const error = await queue.enqueue('work', { n: 2 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(QueueFullError);
    expect((error as QueueFullError).retryAfter).toBeGreaterThan(0);
    expect(await queue.tryEnqueue('work', { n: 3 })).toMatchObject({
      status: 'rejected',
      retryAfter: expect.any(Number),
    });
  });

  it('stores what fits of many, and says which', async () => {
    await using queue = workQueue({}, { settings: { limits: { maxWaiting: 2 } } });
    const items = [1, 2, 3].map((n) => ({ name: 'work' as const, payload: { n } }));
    const answers = await queue.enqueueMany(items);
    expect(answers.map(({ status }) => status)).toEqual(['accepted', 'accepted', 'rejected']);
  });

  it('sends the jobs of concurrent callers to the store together', async () => {
    const adapter = memoryAdapter();
    let calls = 0;
    const counting = {
      ...adapter,
      open: async (context: Parameters<typeof adapter.open>[0]) => {
        const storage = await adapter.open(context);
        return {
          ...storage,
          enqueue: (request: Parameters<typeof storage.enqueue>[0]) => {
            calls += 1;
            return storage.enqueue(request);
          },
        };
      },
    };
    await using queue = workQueue({}, { adapter: counting });
    await Promise.all(Array.from({ length: 300 }, (_, n) => queue.enqueue('work', { n })));
    expect(calls).toBeLessThanOrEqual(2);
    expect((await queue.inspect.counts()).ready).toBe(300);
  });

  it('gives each caller its own answers when their jobs travel together, in more than one call', async () => {
    await using queue = workQueue();
    const many = (from: number, size: number) =>
      queue.enqueueMany(
        Array.from({ length: size }, (_, n) => ({ name: 'work' as const, payload: { n }, id: `job-${from + n}` })),
      );
    const answers = await Promise.all([many(0, 300), many(300, 900), many(1_200, 0), many(1_200, 1)]);
    expect(answers.flat().map(({ status, ...rest }) => [status, 'id' in rest && rest.id])).toEqual(
      Array.from({ length: 1_201 }, (_, n) => ['accepted', `job-${n}`]),
    );
    expect(answers.map(({ length }) => length)).toEqual([300, 900, 0, 1]);
  });

  it('leaves no rejection without a listener when several jobs of one call are bad', async () => {
    const slow = z.string().refine(async (text) => text === 'good');
    await using queue = createQueue({
      adapter: memoryAdapter(),
      jobs: [defineJob('slow', slow), defineJob('n', z.number())],
    });
    const bad = [{ name: 'slow', payload: 'bad' } as const, { name: 'n', payload: Number.NaN } as const];
    await expect(queue.enqueueMany(bad)).rejects.toBeInstanceOf(PayloadInvalidError);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await queue.inspect.counts()).ready).toBe(0);
  });

  it('makes ids that only grow, however many in one millisecond', async () => {
    const clock = { ...systemClock, now: () => 1_764_000_000_000 };
    const makeId = createIdMaker(clock, () => 0.999);
    let last = makeId();
    expect(last).toHaveLength(20);
    const grows = Array.from({ length: 3 }, () => {
      for (let n = 0; n < 600_000; n += 1) {
        const id = makeId();
        if (id <= last) return [last, id];
        last = id;
      }
      return undefined;
    });
    expect(grows).toEqual([undefined, undefined, undefined]);
  });

  it('refuses transactions where the adapter has none', async () => {
    await using queue = workQueue();
    await expect(queue.enqueue('work', { n: 1 }, { tx: {} })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
  });
});

describe('a result', () => {
  it('is refused for a job that nobody knows, and no listener stays behind', async () => {
    const adapter = memoryAdapter();
    let listeners = 0;
    const counting = {
      ...adapter,
      open: async (context: Parameters<typeof adapter.open>[0]) => {
        const storage = await adapter.open(context);
        const watch: typeof storage.watch = (listener) => {
          listeners += 1;
          const stop = storage.watch(listener);
          return () => {
            listeners -= 1;
            stop();
          };
        };
        return { ...storage, watch };
      },
    };
    await using queue = workQueue({}, { adapter: counting });
    await expect(queue.result('nobody')).rejects.toMatchObject({ state: 'unknown' });
    expect(listeners).toBe(0);
  });
});

describe('createQueue', () => {
  it.each([
    [{ url: 'ftp://x' }, 'url'],
    [{}, 'url'],
    [{ url: 'memory:', name: 'a b' }, 'name'],
    [{ url: 'sqlite://' }, 'url'],
  ])('refuses %j', (options, word) => {
    expect(() => createQueue({ jobs: [], ...options })).toThrow(word);
  });

  it('refuses two jobs with one name', () => {
    const twice = [defineJob('a', z.string()), defineJob('a', z.number())] as const;
    expect(() => createQueue({ url: 'memory:', jobs: twice })).toThrow(InvalidOptionError);
  });

  it('says that a closed queue is closed', async () => {
    const queue = workQueue();
    await queue.ready();
    await queue.close();
    await expect(queue.enqueue('work', { n: 1 })).rejects.toMatchObject({ code: 'ERR_QUEUE_CLOSED' });
  });
});

describe('codec', () => {
  it('keeps payloads, results and progress from the store in the clear', async () => {
    const rot = (text: string): string => Buffer.from(text).toString('base64');
    const codec = { encode: rot, decode: (data: string) => Buffer.from(data, 'base64').toString() };
    await using queue = workQueue({ keepResult: '1m' }, { codec });
    const handle = await queue.enqueue('work', { n: 42 });
    const stored = await queue.inspect.job(handle.id);
    expect(stored?.payload).toEqual({ n: 42 });
    queue.work({ work: (job) => ({ twice: job.payload.n * 2 }) });
    expect(await handle.result()).toEqual({ twice: 84 });
  });

  it('rotates its key: what waits under the old one is read, what is new is written with the new one', async () => {
    const shift = (by: number) => (text: string) =>
      [...text].map((letter) => String.fromCharCode(letter.charCodeAt(0) + by)).join('');
    const keys: Record<string, number> = { v1: 3, v2: 5 };
    const codecOf = (newest: string) => ({
      encode: async (text: string) => `${newest}.${shift(keys[newest] ?? 0)(text)}`,
      decode: async (data: string) => shift(-(keys[data.slice(0, 2)] ?? 0))(data.slice(3)),
    });
    const adapter = memoryAdapter();
    const payloads: string[] = [];
    const spied = {
      ...adapter,
      open: async (context: Parameters<typeof adapter.open>[0]) => {
        const storage = await adapter.open(context);
        return {
          ...storage,
          enqueue: (request: Parameters<typeof storage.enqueue>[0]) => {
            payloads.push(...request.jobs.map(({ payload }) => payload));
            return storage.enqueue(request);
          },
        };
      },
    };
    await using before = workQueue({}, { adapter: spied, codec: codecOf('v1') });
    await using after = workQueue({}, { adapter: spied, codec: codecOf('v2') });
    await before.enqueue('work', { n: 1 });
    await after.enqueue('work', { n: 2 });
    const seen: number[] = [];
    after.work({ work: (job) => void seen.push(job.payload.n) });
    await expect.poll(() => seen).toEqual([1, 2]);
    expect(payloads.map((payload) => payload.slice(0, 3))).toEqual(['v1.', 'v2.']);
    expect(payloads.join()).not.toContain('"n"');
  });

  it('sends a job that cannot be decoded to the dead letters', async () => {
    const adapter = memoryAdapter();
    await using writer = workQueue({}, { adapter, codec: { encode: () => '!!', decode: (data) => data } });
    const { id } = await writer.enqueue('work', { n: 1 });
    await using reader = workQueue({}, { adapter });
    reader.work({ work: () => undefined });
    await expect.poll(async () => (await reader.deadLetters.groups())[0]?.code).toBe('ERR_CODEC');
    expect((await reader.deadLetters.groups())[0]?.sampleId).toBe(id);
  });
});
