import Anthropic from '@anthropic-ai/sdk';
import { anthropic, type Fetch } from '@millrace/ratelimit/presets';
import { redisStore } from '@millrace/ratelimit/redis';
import { scaledClock } from '@millrace/ratelimit/testing';
import { Redis } from 'ioredis';
import { account, inputTokens, speed } from './model.ts';
import { scaledStore } from './scaled-store.ts';

/** Some agents in one process: each makes one call after the other until it is told to stop. */
const [url = '', redisUrl = '', agents = '16', strategy = 'millrace'] = process.argv.slice(2);
const counts = { calls: 0, failed: 0, errors: {} as Record<string, number> };
let running = true;

function fetchOf(): { fetch: Fetch; maxRetries: number } {
  if (strategy === 'sdk') return { fetch: globalThis.fetch, maxRetries: 2 };
  const store = scaledStore(redisStore({ redis: new Redis(redisUrl) }), speed);
  const provider = anthropic({ store, account: 'bench', limits: account, clock: scaledClock(speed), maxWait: '10m' });
  return { fetch: provider.fetch, maxRetries: 0 };
}

const client = new Anthropic({ baseURL: url, apiKey: 'k', ...fetchOf() });

async function agent(): Promise<void> {
  while (running) {
    const content = 'word'.repeat(inputTokens());
    try {
      await client.messages.create(
        { model: 'claude', max_tokens: 8_192, stream: false, messages: [{ role: 'user', content }] },
        { timeout: 600_000 },
      );
      counts.calls += 1;
    } catch (error) {
      counts.failed += 1;
      const name = String(
        (error as { status?: unknown }).status ?? (error as { cause?: { code?: unknown } }).cause?.code ?? error,
      );
      counts.errors[name] = (counts.errors[name] ?? 0) + 1;
    }
  }
}

process.on('message', (message) => {
  if (message === 'stats') process.send?.(counts);
  if (message === 'stop') running = false;
});
process.on('disconnect', () => process.exit(0));
for (let i = 0; i < Number(agents); i++) void agent();
