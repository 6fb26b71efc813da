/** A budgeted call to a language model, against a fake provider so that it runs anywhere: npx tsx examples/ratelimit/budgeted-agent.ts */
import { anthropic } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';

await using provider = await startFakeProvider({
  respond: () => ({ text: 'Hello!', usage: { input: 1_000, output: 200 } }),
});

const claude = anthropic({
  budget: { scopes: [{ name: 'tenant', of: (ctx) => ctx.tenant, cap: 20_000, per: 'day' }] },
});
const ask = claude.with({ tenant: 'acme' });
const body = JSON.stringify({ model: 'claude-sonnet-4', max_tokens: 500, messages: [{ role: 'user', content: 'Hi' }] });

for (let call = 1; call <= 4; call++) {
  try {
    const response = await ask(`${provider.url}/v1/messages`, { method: 'POST', body });
    console.log(`call ${call}: HTTP ${response.status}`);
  } catch (error) {
    console.log(`call ${call}: ${(error as Error).message}`);
  }
}
console.log(await claude.budget?.status({ tenant: 'acme' }));
