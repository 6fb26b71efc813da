/** OpenAI's SDK behind its limits, against a fake provider so that it runs anywhere: npx tsx examples/ratelimit/openai.ts */
import { openai } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';
import OpenAI from 'openai';

await using provider = await startFakeProvider({ respond: () => ({ text: 'Hello!' }) });

const gpt = openai({
  limits: { requests: 500, tokens: 200_000 }, // else learned from the headers of the first answer
  onQuota: ({ message }) => console.log('out of money:', message), // never retried
});
const client = new OpenAI({ apiKey: 'key', baseURL: `${provider.url}/v1`, fetch: gpt.fetch, maxRetries: 0 });

const answer = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi' });
console.log(answer.output_text);

provider.fail({ kind: 'quota', times: 1 });
const error = await client.responses.create({ model: 'gpt-5-mini', input: 'Hi' }).catch((e: Error) => e);
console.log(error instanceof OpenAI.RateLimitError);
