import { batch, createQueue, type Duration, defineJob, type HandlerContext } from '@millrace/queue';
import { describe, expect, expectTypeOf, it } from 'vitest';
import { z } from 'zod';

const mail = defineJob('mail', z.object({ to: z.string(), at: z.coerce.date() }));
const count = defineJob('count', z.number());
const jobs = [mail, count] as const;

describe('types', () => {
  it('names and payloads are inferred: what goes in, and what the schema makes of it', async () => {
    await using queue = createQueue({ url: 'memory:', jobs });
    queue.work({
      mail: (job, ctx) => {
        expectTypeOf(job.payload).toEqualTypeOf<{ to: string; at: Date }>();
        expectTypeOf(ctx).toEqualTypeOf<HandlerContext>();
        expectTypeOf(ctx.fence).toEqualTypeOf<number>();
      },
      count: batch((many) => expectTypeOf(many[0]?.payload).toEqualTypeOf<number | undefined>()),
    });
    const handle = await queue.enqueue('mail', { to: 'ada', at: '2026-01-01' });
    expectTypeOf(handle.status).toEqualTypeOf<'accepted' | 'duplicate'>();
    expectTypeOf(handle.result).returns.resolves.toEqualTypeOf<unknown>();
    expectTypeOf<Parameters<typeof queue.enqueue>[0]>().toEqualTypeOf<'mail' | 'count'>();
  });

  it('mistakes are errors of the compiler', () => {
    const queue = createQueue({ url: 'memory:', jobs });
    // Never called: the compiler is what is tested.
    const mistakes = async (): Promise<void> => {
      // @ts-expect-error: wrong payload
      await queue.enqueue('count', '1');
      // @ts-expect-error: unknown job
      await queue.enqueue('fax', 1);
      // @ts-expect-error: no handler for `count`
      queue.work({ mail: () => undefined });
      // @ts-expect-error: the handler of another payload
      queue.work({ mail: (job: { payload: string }) => job.payload, count: () => undefined });
      // @ts-expect-error: malformed duration
      await queue.enqueue('count', 1, { delay: '5 parsecs' });
      // @ts-expect-error: a window needs its length
      await queue.enqueue('count', 1, { dedupe: { key: 'k', mode: 'window' } });
      // @ts-expect-error: wrong payload among many
      await queue.enqueueMany([{ name: 'count', payload: {} }]);
      // @ts-expect-error: wrong payload of a child
      await queue.enqueueFlow({ name: 'count', payload: 1, children: [{ name: 'mail', payload: 1 }] });
      // @ts-expect-error: unknown decision
      defineJob('x', z.string(), { onFailure: () => 'again' });
      // @ts-expect-error: no such option
      defineJob('x', z.string(), { retries: 3 });
    };
    expect(mistakes).toBeTypeOf('function');
    expectTypeOf<'90 s'>().toExtend<Duration>();
    expectTypeOf<'soon'>().not.toExtend<Duration>();
  });
});
