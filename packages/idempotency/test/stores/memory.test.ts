import { manualClock } from '@millrace/test-support';
import { describe, expect, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { memoryStore } from '../../src/memory.ts';
import { stormHere } from '../processes/storm.ts';

storeConformance({ describe, test }, { name: 'memory', open: () => memoryStore() });

const clock = manualClock();
storeConformance(
  { describe, test },
  {
    name: 'memory (with a clock that is moved by hand)',
    open: () => memoryStore({ clock }),
    advance: (ms) => clock.advance(ms),
    schedules: 500,
  },
);

test('1,000 concurrent identical calls in the one process that has the store, 50 times: one execution, no error', async () => {
  const store = memoryStore();
  for (let round = 0; round < 50; round += 1) {
    const { executed, replayed, refused, errors } = await stormHere(store, `round ${round}`, 1000);
    expect({ executed, others: replayed + refused, errors }).toEqual({ executed: 1, others: 999, errors: [] });
  }
});
