import { manualClock } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { idempotentFetch } from '../src/http.ts';

/** A fetch that gives the prepared answers in turn and remembers the keys. */
function scripted(answers: readonly (Response | Error)[]) {
  const keys: (string | null)[] = [];
  const fetch = (async (_input: unknown, init?: RequestInit) => {
    const answer = answers[Math.min(keys.length, answers.length - 1)];
    keys.push(new Headers(init?.headers).get('idempotency-key'));
    if (answer instanceof Error) throw answer;
    return (answer as Response).clone();
  }) as typeof globalThis.fetch;
  return { fetch, keys };
}

const problem = (status: number, code: string, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify({ code }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });

test('keeps one key over retries and honours Retry-After', async () => {
  const clock = manualClock();
  const { fetch, keys } = scripted([
    new TypeError('fetch failed'),
    problem(409, 'ERR_IDEMPOTENCY_IN_PROGRESS', { 'retry-after': '3' }),
    new Response('', { status: 503 }),
    new Response('done', { status: 201 }),
  ]);
  const done = idempotentFetch({ fetch, clock, random: () => 0.5 })('http://x.test', { method: 'POST', body: '{}' });
  await clock.advance(100);
  expect(keys).toHaveLength(2);
  await clock.advance(3000);
  expect(keys).toHaveLength(2);
  await clock.advance(200);
  expect(keys).toHaveLength(3);
  await clock.advance(1000);
  expect((await done).status).toBe(201);
  expect(new Set(keys).size).toBe(1);
  expect(keys[0]).toMatch(/^"[0-9a-f-]{36}"$/);
});

test.each([
  [422, 'ERR_IDEMPOTENCY_MISMATCH'],
  [400, 'ERR_INVALID_KEY'],
  [409, 'ERR_IDEMPOTENCY_DUPLICATE'],
  [409, 'ERR_OUTCOME_UNKNOWN'],
])('stops on %i %s', async (status, code) => {
  const { fetch, keys } = scripted([problem(status, code, { 'retry-after': '1' })]);
  expect((await idempotentFetch({ fetch })('http://x.test')).status).toBe(status);
  expect(keys).toHaveLength(1);
});

test('gives the last answer, or throws the last error, after maxAttempts', async () => {
  const options = { maxAttempts: 3, firstPause: 1 };
  const busy = scripted([new Response('', { status: 500 })]);
  expect((await idempotentFetch({ ...options, fetch: busy.fetch })('http://x.test')).status).toBe(500);
  expect(busy.keys).toHaveLength(3);
  const down = scripted([new TypeError('fetch failed')]);
  await expect(idempotentFetch({ ...options, fetch: down.fetch })('http://x.test')).rejects.toThrow('fetch failed');
});

test('uses the key that the caller brings, and stops at the signal', async () => {
  const { fetch, keys } = scripted([new Response('', { status: 500 })]);
  const caller = new AbortController();
  const sent = idempotentFetch({ fetch, firstPause: 60_000 })('http://x.test', {
    headers: { 'Idempotency-Key': 'mine' },
    signal: caller.signal,
  });
  await expect.poll(() => keys).toEqual(['mine']);
  caller.abort(new Error('enough'));
  await expect(sent).rejects.toThrow('enough');
});

test('sends a streamed body once', async () => {
  const { fetch, keys } = scripted([new Response('', { status: 503 })]);
  const body = new ReadableStream({ start: (controller) => controller.close() });
  await idempotentFetch({ fetch })('http://x.test', { method: 'POST', body, duplex: 'half' } as RequestInit);
  expect(keys).toHaveLength(1);
});
