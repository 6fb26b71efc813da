import type { Services } from '../services.ts';

/** Questions of each manager that are under way, or wait for their turn, by what they ask. */
const underWay = new WeakMap<Services, Map<string, Promise<unknown>>>();

function untilOver(round: Promise<unknown>, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal?.reason);
    const onEnd = (): void => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    };
    signal?.throwIfAborted();
    signal?.addEventListener('abort', onAbort, { once: true });
    round.then(onEnd, onEnd);
  });
}

/**
 * Lets callers of one process wait for the question that one of them asks, each without the lock, and then look what it
 * brought. Whoever finds nothing that will do asks next; a caller that fails or gives up fails alone.
 *
 * @param look what is there
 * @param ask asks
 * @throws the signal's reason when it is aborted
 */
export async function inRounds<T>(
  services: Services,
  question: string,
  signal: AbortSignal | undefined,
  { look, ask }: { readonly look: () => Promise<T | undefined>; readonly ask: () => Promise<T> },
): Promise<T> {
  const rounds = underWay.get(services) ?? new Map<string, Promise<unknown>>();
  underWay.set(services, rounds);
  for (let round = rounds.get(question); round !== undefined; round = rounds.get(question)) {
    await untilOver(round, signal);
    const found = await look();
    if (found !== undefined) return found;
  }
  const mine = ask().finally(() => rounds.delete(question));
  rounds.set(question, mine);
  return await mine;
}
