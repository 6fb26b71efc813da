import { setTimeout as sleep } from 'node:timers/promises';

/** Begins `total` operations at an even rate, whatever the earlier ones do (an open loop), and waits for all. */
export async function atRate(total: number, perSecond: number, operation: (index: number) => Promise<unknown>) {
  const begin = performance.now();
  const under: Promise<unknown>[] = [];
  for (let index = 0; index < total; index++) {
    const wait = begin + (index * 1000) / perSecond - performance.now();
    if (wait > 1) await sleep(wait);
    under.push(operation(index));
  }
  await Promise.all(under);
}

/** Milliseconds that an operation takes. */
export async function timed(operation: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await operation();
  return performance.now() - begin;
}

export async function postJson(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Response> {
  return await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}
