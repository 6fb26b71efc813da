import { anthropic, type ProviderOptions, StreamAbandonedError } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';
import { manualClock, waitFor } from '@millrace/test-support';
import { expect, it } from 'vitest';

const ask = { model: 'claude-sonnet-4', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }], stream: true };
const words = { text: 'word '.repeat(20_000), usage: { input: 1_000, output: 400 } };
const budget = { scopes: [{ name: 'all', cap: 1_000_000 }] };
/** `max_tokens` at 15 USD per million tokens, and the request as input at 3. */
const worstCase = 100 * 15 + Math.ceil(JSON.stringify(ask).length / 4) * 3;

/** A stream from a provider, begun and not yet read. */
async function begin(options: ProviderOptions = {}) {
  const provider = await startFakeProvider({ respond: () => words });
  const claude = anthropic({ concurrency: 1, budget, limits: { output: 10_000 }, ...options });
  const controller = new AbortController();
  const init = { method: 'POST', body: JSON.stringify(ask), signal: controller.signal };
  const response = await claude.fetch(`${provider.url}/v1/messages`, init);
  const money = async () => (await claude.budget?.status())?.[0];
  const again = () => claude.fetch(`${provider.url}/v1/messages`, init);
  return { provider, claude, controller, response, money, again, body: response.body as ReadableStream<Uint8Array> };
}

it('cancels a stream that nobody reads: its money and its place come back, a late reader hears why', async () => {
  const clock = manualClock();
  const { provider, money, body, again } = await begin({ clock });
  await using _ = provider;
  expect(await money()).toMatchObject({ held: worstCase });
  await clock.advance(299_000);
  expect(await money()).toMatchObject({ held: worstCase, spent: 0 });
  await waitFor(async () => {
    await clock.advance(10_000);
    return (await money())?.spent === worstCase;
  });
  const read = async () => {
    for await (const _piece of body);
  };
  await expect(read()).rejects.toBeInstanceOf(StreamAbandonedError);
  expect((await again()).ok).toBe(true);
});

it('does not take a slow reader for nobody', async () => {
  const clock = manualClock();
  const { provider, money, body } = await begin({ clock });
  await using _ = provider;
  const reader = body.getReader();
  for (let pieces = 0; pieces < 5; pieces++) {
    expect((await reader.read()).done).toBe(false);
    await clock.advance(200_000);
  }
  for (;;) if ((await reader.read()).done) break;
  expect(await money()).toMatchObject({ held: 0, spent: 1_000 * 3 + 400 * 15 });
});

it('books a stream that ended early at its worst case: nobody has said what it cost', async () => {
  const { provider, money, body, claude } = await begin();
  await using _ = provider;
  const reader = body.getReader();
  await reader.read();
  await reader.cancel();
  await waitFor(async () => (await money())?.held === 0);
  expect(await money()).toMatchObject({ spent: worstCase });
  // What was reserved of the limit stays reserved, too.
  const stats = Object.values(await claude.stats())[0];
  expect(stats?.remaining.output).toBeLessThan(4_100);
});
