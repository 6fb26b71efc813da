import { setImmediate as nextTurn } from 'node:timers/promises';

interface Waiting<Request, Answer> {
  readonly request: Request;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Puts requests of one moment together: whoever asks while a batch is under way goes with the next one.
 *
 * @param size requests per batch at most
 * @param run answers a batch, in its order
 */
export function inBatches<Request, Answer>(
  size: number,
  run: (batch: readonly Request[]) => Promise<readonly Answer[]>,
): (request: Request) => Promise<Answer> {
  const waiting: Waiting<Request, Answer>[] = [];
  let draining = false;
  const serve = async (batch: readonly Waiting<Request, Answer>[]): Promise<void> => {
    try {
      const answers = await run(batch.map(({ request }) => request));
      for (const [at, { resolve }] of batch.entries()) resolve(answers[at] as Answer);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  const drain = async (): Promise<void> => {
    draining = true;
    // Callers of this turn come together.
    await nextTurn();
    while (waiting.length > 0) await serve(waiting.splice(0, size));
    draining = false;
  };
  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ request, resolve, reject });
      if (!draining) void drain();
    });
}
