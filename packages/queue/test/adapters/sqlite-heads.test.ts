import { expect, test } from 'vitest';
import { createCall, enqueue } from '../../src/adapters/engine/index.ts';
import type { JobRow } from '../../src/adapters/engine/job-row.ts';
import { connect } from '../../src/adapters/sqlite/connection.ts';
import { createSqliteTables, findQueue } from '../../src/adapters/sqlite/tables.ts';
import type { NewJob } from '../../src/index.ts';

function makeJob(id: string): NewJob {
  const rest = { delay: 0, maxAttempts: 3, cost: 0, keepResult: 0, children: 0, tenant: 't', priority: 0 };
  return { id, name: 'work', payload: '1', bytes: 1, ...rest };
}

test('the head of a line follows every change in the same call', async () => {
  const connection = await connect({ path: ':memory:', durability: 'normal' });
  const number = await connection.transaction(() => findQueue(connection, 'q'));
  const tables = createSqliteTables(connection, number);
  await connection.transaction(() => {
    tables.begin();
    enqueue(createCall(tables, 1), { jobs: ['a', 'b', 'c', 'd'].map(makeJob) });
    tables.end();
  });
  await connection.transaction(() => {
    tables.begin();
    const line = tables.line(tables.tenant('t'), 0);
    const head = (): JobRow => tables.head(line) as JobRow;
    expect(head().id).toBe('a');
    tables.removeJob(head());
    expect(head().id).toBe('b');
    const delayed = Object.assign(head(), { state: 'delayed', readyAt: 99 } as const);
    tables.saveJob(delayed, 'ready');
    expect(head().id).toBe('c');
    const moved = head();
    tables.changePriority(moved, 5);
    tables.saveJob(moved, 'ready');
    expect(head().id).toBe('d');
    const leased = Object.assign(head(), {
      state: 'leased',
      fence: 1,
      lease: { session: 's', call: 1, claimedAt: 1 },
    } as const);
    tables.saveJob(leased, 'ready');
    expect([tables.head(line), tables.isEmpty(line)]).toEqual([undefined, true]);
  });
  connection.close();
});
