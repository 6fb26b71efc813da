import type { Clock } from '../../clock.ts';
import type { AdapterCapabilities, Hint, QueueAdapter, QueueStorage } from '../../contract/index.ts';
import { QueueClosedError, UnsupportedError } from '../../errors.ts';
import {
  type Call,
  control,
  createCall,
  enqueue,
  exchange,
  hintsOfControl,
  hintsOfEnqueue,
  hintsOfExchange,
} from '../engine/index.ts';
import { createMemoryTables, type MemoryTables } from './tables.ts';

const capabilities: AdapterCapabilities = {
  shared: false,
  durable: false,
  clock: 'given',
  transactions: false,
  // One process: while its event loop is blocked, nobody is there to take the jobs away, so no thread is needed.
  threadedKeepAlive: false,
};

/** A queue of this process, and who wants to know about it. */
interface Shared {
  readonly tables: MemoryTables;
  readonly listeners: Set<(hint: Hint) => void>;
}

/**
 * Keeps queues in the memory of this process: for tests, for simulations, and for work that may be lost with the process.
 * Several `createQueue()` with the same adapter object and name share one queue.
 *
 * @example
 * const queue = createQueue({ adapter: memoryAdapter(), jobs: [sendMail] });
 */
export function memoryAdapter(): QueueAdapter {
  const queues = new Map<string, Shared>();
  return {
    name: 'memory',
    capabilities,
    open: async ({ queue, clock }) => {
      const shared = queues.get(queue) ?? { tables: createMemoryTables(), listeners: new Set() };
      queues.set(queue, shared);
      return openStorage(queue, shared, clock);
    },
    close: async () => undefined,
  };
}

function openStorage(queue: string, { tables, listeners }: Shared, clock: Clock): QueueStorage {
  let closed = false;
  const tell = (hints: readonly Hint[]): void => {
    for (const hint of hints) for (const listener of listeners) listener(hint);
  };

  /** One engine call. It is synchronous, and so it is atomic. */
  async function run<T>(work: (call: Call) => T): Promise<T> {
    if (closed) throw new QueueClosedError(queue);
    const call = createCall(tables, clock.now());
    const answer = work(call);
    tables.dropIdle(call.now);
    return answer;
  }

  return {
    enqueue: async (request) => {
      if (request.transaction !== undefined) {
        throw new UnsupportedError(
          'The memory adapter has no transactions: leave `tx` out, and enqueue after the commit or through an outbox.',
        );
      }
      const answers = await run((call) => enqueue(call, request));
      tell(hintsOfEnqueue(answers));
      return answers;
    },
    exchange: async (request) => {
      const answer = await run((call) => exchange(call, request));
      tell(hintsOfExchange(request, answer));
      return answer;
    },
    control: async (operation, input) => {
      const answer = await run((call) => control(call, operation, input));
      tell(hintsOfControl(operation));
      return answer;
    },
    watch: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    close: async () => {
      closed = true;
    },
  };
}
