/** Gemini behind its limits, by URL because its SDK takes no fetch of yours; against a fake provider: npx tsx examples/ratelimit/gemini.ts */
import { gemini } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';

await using provider = await startFakeProvider({ respond: () => ({ text: 'Hello!' }) });

// Gemini's answers do not tell its limits: give yours (https://aistudio.google.com shows them).
const google = gemini({ limits: { requests: 150, input: 1_000_000 } });
const response = await google.fetch(`${provider.url}/v1beta/models/gemini-2.5-flash:generateContent`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-goog-api-key': 'key' },
  body: JSON.stringify({ contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] }),
});
const { candidates } = (await response.json()) as { candidates: { content: { parts: { text: string }[] } }[] };
console.log(candidates[0]?.content.parts[0]?.text);
console.log(Object.values(await google.stats()).map(({ remaining }) => Object.keys(remaining)));
