/** Anthropic's SDK behind its limits, against a fake provider so that it runs anywhere: npx tsx examples/ratelimit/anthropic.ts */
import Anthropic from '@anthropic-ai/sdk';
import { anthropic } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';

await using provider = await startFakeProvider({ limits: { requests: 600 }, respond: () => ({ text: 'Hello!' }) });
provider.fail({ kind: 'overloaded', times: 1 }); // one 529: retried, the SDK does not see it

const claude = anthropic({ account: 'production' }); // `store: redisStore({ redis })` shares the limits with all processes
const client = new Anthropic({
  apiKey: 'key',
  baseURL: provider.url, // leave it out for the real one
  fetch: claude.with({ tenant: 'acme' }),
  maxRetries: 0, // or both would retry
});

const ask = { model: 'claude-sonnet-4-5', max_tokens: 100, messages: [{ role: 'user' as const, content: 'Hi' }] };
const message = await client.messages.create(ask);
console.log(message.content.map((block) => (block.type === 'text' ? block.text : '')).join(''));

for await (const text of client.messages.stream(ask)) if (text.type === 'message_stop') console.log('streamed');
console.log(Object.keys(await claude.stats()));
