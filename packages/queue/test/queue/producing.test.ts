import {
  createQueue,
  defineJob,
  InvalidOptionError,
  PayloadInvalidError,
  QueueFullError,
  UnknownJobError,
} from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
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

  it('refuses transactions where the adapter has none', async () => {
    await using queue = workQueue();
    await expect(queue.enqueue('work', { n: 1 }, { tx: {} })).rejects.toMatchObject({ code: 'ERR_UNSUPPORTED' });
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

  it('says that there is no PostgreSQL adapter yet', () => {
    expect(() => createQueue({ url: 'postgres://localhost/x', jobs: [] })).toThrow(/not part of this version/);
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
