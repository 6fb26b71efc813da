import { memoryStore } from '@millrace/ratelimit';
import { storeTests } from '@millrace/ratelimit/conformance';
import { manualClock } from '@millrace/test-support';
import { describe, it } from 'vitest';

storeTests({ describe, it }, 'memory', async () => {
  const clock = manualClock();
  return { store: memoryStore({ clock }), advance: (ms) => clock.advance(ms), close: async () => {} };
});
