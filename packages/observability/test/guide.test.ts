import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { prometheusPrograms, runCode, temporaryDirectory } from '@millrace/test-support';
import { beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';

const root = join(import.meta.dirname, '..');
let guide: string;
beforeAll(async () => {
  guide = await readFile(join(root, '..', '..', 'docs', 'observability.md'), 'utf8');
});

function blocks(language: string): string[] {
  return [...guide.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, 'gm'))].map(([, code = '']) => code);
}

/** What the guide takes for granted: the other packages, and things that a service has. */
const given = `
import { createObservability, defineMetric } from '@millrace/observability';
import { createQueue, defineJob } from '@millrace/queue';
import { instrument, rateLimit, retry, wrap } from '@millrace/ratelimit';
import { createWorkspaceManager } from '@millrace/workspace';
import { createIdempotency } from '@millrace/idempotency';
import { memoryStore } from '@millrace/idempotency/memory';
const root = process.argv[2];
const jobs = [defineJob('work', { '~standard': { version: 1, vendor: 'guide', validate: (value) => ({ value }) } })];
const limits = [{ limit: 10, per: '1s' }];
const store = memoryStore();
const pool = { totalCount: 1, idleCount: 1, waitingCount: 0, query: async () => ({ rows: [] }) };
const ping = async () => {};
`;

/** Takes what an exporter sends. */
async function startCollector(): Promise<AsyncDisposable & { readonly url: string; received(): string }> {
  let received = '';
  const server = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => {
      received += text;
    });
    request.on('end', () => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received: () => received,
    [Symbol.asyncDispose]: async () => void server.close(),
  };
}

const look = `
await queue.enqueue('work', {});
await call(async () => new Response('ok'));
for (const path of ['/readyz', '/metrics']) {
  const answer = await obs.fetchHandler(new Request('http://localhost' + path));
  console.log(await answer.text());
}
await provider.shutdown();
process.exit();
`;

it('runs every piece of code of the guide, one after the other', { timeout: 90_000 }, async () => {
  const code = blocks('ts').join('\n');
  expect(code).toContain('watchBackup');
  await using folder = await temporaryDirectory('guide');
  await using collector = await startCollector();
  const here = code
    .replace('redis://localhost', 'memory:')
    .replace('/var/lib/orders', folder.path)
    .replace('http://127.0.0.1:4318', collector.url);
  const args = [folder.path];
  const { exitCode, stdout, stderr } = await runCode(`${given}${here}${look}`, import.meta.dirname, { args });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  for (const line of [
    'shop_mails_total{result="ok"} 2',
    'millrace_queue_depth{queue="default",state="ready"} 1',
    'millrace_external_requests_total{provider="anthropic",outcome="ok"} 1',
    'millrace_backup_age_seconds{what="database"} +Inf',
  ]) {
    expect(stdout).toContain(line);
  }
  expect(collector.received()).toContain('call anthropic');
  expect(stdout).toMatch(/^millrace_disk_free_bytes\{volume="data"\} [1-9]/m);
  expect(stdout).not.toMatch(/^millrace_metrics_collect_errors_total.* [1-9]/m);
});

it('gives Prometheus and Grafana files that they can read', { timeout: 180_000 }, async () => {
  const [scrape = '', provisioning = ''] = blocks('yaml');
  await using folder = await temporaryDirectory('guide');
  const installed = join(folder.path, 'node_modules', '@millrace', 'observability');
  await mkdir(dirname(installed), { recursive: true });
  await symlink(root, installed);
  const config = join(folder.path, 'prometheus.yml');
  await writeFile(config, scrape);
  const { promtool } = await prometheusPrograms();
  const { stdout } = await promisify(execFile)(promtool, ['check', 'config', config]);
  expect(stdout).toMatch(/SUCCESS: \d+ rules found/);
  expect(parse(provisioning)).toMatchObject({ apiVersion: 1, providers: [{ name: 'millrace', type: 'file' }] });
});
