import { manualClock } from '@millrace/test-support';
import { describe, test } from 'vitest';
import { storeConformance } from '../../src/conformance.ts';
import { memoryStore } from '../../src/memory.ts';

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
