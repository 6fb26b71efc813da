import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { startFakeProvider } from '@millrace/ratelimit/testing';
import { freePort, startProxy, temporaryDirectory, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from '../support/orchestrator.ts';
import { startFakeEngine } from './fake-docker.ts';

/** Calls its model once and says what came back, in the words of `claude`. */
const program = `#!${process.execPath}
(async () => {
  const response = await fetch(process.env.ANTHROPIC_BASE_URL + '/v1/messages', {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': process.env.ANTHROPIC_API_KEY, 'anthropic-version': '2023-06-01' },
    body: JSON.stringify({ model: 'claude-sonnet-4-5', max_tokens: 10, messages: [{ role: 'user', content: 'Hi' }] }),
  });
  const { content } = await response.json();
  console.log(JSON.stringify({ type: 'result', is_error: !response.ok, result: content[0].text, usage: {} }));
})();
`;

test('an agent in a container reaches its model at GATEWAY_URL, on the network for those that call one', async () => {
  await using directory = await temporaryDirectory('gateway-url');
  const socket = join(directory.path, 'engine.sock');
  await using engine = await startFakeEngine(socket);
  await using provider = await startFakeProvider({ keys: ['the-real-key'], respond: () => ({ text: 'Hello.' }) });
  const claude = join(directory.path, 'agents', 'claude', 'node_modules', '.bin', 'claude');
  await mkdir(dirname(claude), { recursive: true });
  await writeFile(claude, program);
  await chmod(claude, 0o755);
  const port = await freePort();
  // The address of the worker as containers see it is another one than its own.
  await using proxy = await startProxy({ target: `http://127.0.0.1:${port}` });
  const GATEWAY_URL = `http://127.0.0.1:${new URL(proxy.url).port}`;
  await using orchestrator = await startTestOrchestrator({
    PORT: `${port}`,
    GATEWAY_URL,
    EXECUTOR_URL: `docker:${socket}?image=agent:1&network=models`,
    AGENTS_DIR: join(directory.path, 'agents'),
    ANTHROPIC_API_KEY: 'the-real-key',
    ANTHROPIC_BASE_URL: provider.url,
  });
  const { client, origin } = orchestrator;
  const { id } = await client.submit({ repo: origin, agent: { type: 'claude', prompt: 'Hi.' } });
  const run = await waitFor(
    async () => {
      const now = await client.get(id);
      return now.finishedAt ? now : undefined;
    },
    { timeout: 20_000 },
  );
  expect(run).toMatchObject({ state: 'succeeded', error: null });
  expect(run.usage.inputTokens).toBeGreaterThan(0);
  const create = engine.requests.find(({ path }) => path.includes(`create?name=millrace-${id}`));
  const body = JSON.stringify(create?.body);
  expect(create?.body).toMatchObject({ HostConfig: { NetworkMode: 'models' } });
  expect(body).toContain(`"ANTHROPIC_BASE_URL=${GATEWAY_URL}/gateway/anthropic"`);
  expect(body).not.toContain('the-real-key');
}, 60_000);
