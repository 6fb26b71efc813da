import { type QueueAdapter, type QueueStorage, systemClock } from '@millrace/queue';
import { memoryAdapter } from '@millrace/queue/memory';
import { describe, expect, it } from 'vitest';
import { createOpened, type Opened } from '../../src/opened.ts';

/** Counts what is open; fails where it is told to, once. */
function openWith({ failing, owned }: { failing: 'open' | 'prepare'; owned: boolean }): {
  opened: Opened;
  left: { adapters: number; storages: number };
} {
  const left = { adapters: 0, storages: 0 };
  let broken = true;
  const failOnce = (where: string): void => {
    if (!broken || where !== failing) return;
    broken = false;
    throw new Error(`${where} fails`);
  };
  const count = (storage: QueueStorage): QueueStorage => {
    left.storages += 1;
    return {
      ...storage,
      close: async () => {
        left.storages -= 1;
        await storage.close();
      },
    };
  };
  const makeAdapter = (): QueueAdapter => {
    left.adapters += 1;
    const adapter = memoryAdapter();
    return {
      ...adapter,
      open: async (context) => {
        failOnce('open');
        return count(await adapter.open(context));
      },
      close: async () => {
        left.adapters -= 1;
      },
    };
  };
  const opened = createOpened({
    queue: 'q',
    adapter: async () => makeAdapter(),
    owned,
    clock: systemClock,
    random: Math.random,
    prepare: async () => failOnce('prepare'),
  });
  return { opened, left };
}

describe('opening a queue', () => {
  it.each(['open', 'prepare'] as const)(
    'that fails (%s) leaves nothing open behind, and is tried again',
    async (failing) => {
      const { opened, left } = openWith({ failing, owned: true });
      await expect(opened.storage()).rejects.toThrow(`${failing} fails`);
      expect(left).toEqual({ adapters: 0, storages: 0 });
      await opened.storage();
      expect(left).toEqual({ adapters: 1, storages: 1 });
      await opened.close();
      expect(left).toEqual({ adapters: 0, storages: 0 });
    },
  );

  it('that fails does not close an adapter that belongs to the caller', async () => {
    const { opened, left } = openWith({ failing: 'prepare', owned: false });
    await expect(opened.storage()).rejects.toThrow('prepare fails');
    expect(left).toEqual({ adapters: 1, storages: 0 });
  });
});
