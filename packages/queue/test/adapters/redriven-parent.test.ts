import { createQueue, defineJob, UnrecoverableError } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { sqliteAdapter } from '@millrace/queue/sqlite';
import { waitFor } from '@millrace/test-support';
import { describe, expect, it } from 'vitest';
import { anything } from '../queue/support.ts';

describe.each([
  ['memory', () => memoryAdapter()],
  ['sqlite', () => sqliteAdapter({ path: ':memory:' })],
])('on %s', (_name, openAdapter) => {
  it('a dead parent that is redriven sees what its children have left', async () => {
    const adapter = openAdapter();
    const jobs = [defineJob('parent', anything), defineJob('child', anything)] as const;
    const queue = createQueue({ adapter, jobs });
    const seen: unknown[] = [];
    queue.work({
      child: () => 'done',
      parent: async (_job, ctx) => {
        seen.push((await ctx.children()).map(({ name, result }) => [name, result]));
        if (seen.length === 1) throw new UnrecoverableError('not this time');
      },
    });
    const { id } = await queue.enqueueFlow({ name: 'parent', payload: 1, children: [{ name: 'child', payload: 2 }] });
    await waitFor(async () => (await queue.inspect.job(id))?.state === 'dead');
    await queue.deadLetters.redrive();
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual([[['child', 'done']], [['child', 'done']]]);
    await queue.close();
    await adapter.close();
  });
});
