import { randomUUID } from 'node:crypto';
import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../src/client/client.ts';
import { mayUseRepo } from '../src/tenants/allowed-repos.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';

const adminKey = `admin-${randomUUID()}${randomUUID()}`;
let orchestrator: TestOrchestrator;
let acmeKey: string;
let otherKey: string;
let readOnlyKey: string;
let acme: Client;

async function call(path: string, key: string | undefined, init: RequestInit = {}) {
  const response = await fetch(orchestrator.url + path, {
    ...init,
    headers: {
      'content-type': 'application/json',
      'idempotency-key': randomUUID(),
      ...(key && { authorization: `Bearer ${key}` }),
    },
  });
  const text = await response.text();
  return { status: response.status, body: (text.startsWith('{') ? JSON.parse(text) : {}) as Record<string, unknown> };
}

const put = (path: string, key: string, body: object) => call(path, key, { method: 'PUT', body: JSON.stringify(body) });
const post = (path: string, key: string, body: object) =>
  call(path, key, { method: 'POST', body: JSON.stringify(body) });

async function makeKey(tenant: string, scopes: readonly string[]): Promise<string> {
  const { body } = await post(`/v1/tenants/${tenant}/keys`, adminKey, { name: 'test', scopes });
  return String(body.key);
}

beforeAll(async () => {
  orchestrator = await startTestOrchestrator({ AUTH: 'keys', ADMIN_API_KEY: adminKey });
  for (const tenant of ['acme', 'other']) expect((await put(`/v1/tenants/${tenant}`, adminKey, {})).status).toBe(200);
  acmeKey = await makeKey('acme', ['runs:read', 'runs:write']);
  otherKey = await makeKey('other', ['runs:read', 'runs:write']);
  readOnlyKey = await makeKey('acme', ['runs:read']);
  acme = createClient({ url: orchestrator.url, apiKey: acmeKey });
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

const newRun = () => ({ repo: orchestrator.origin, agent: { type: 'command' as const, command: 'echo x > x' } });

async function finishedRun(): Promise<string> {
  const run = await acme.submit(newRun());
  await waitFor(async () => (await acme.get(run.id)).finishedAt !== null, { timeout: 20_000 });
  return run.id;
}

describe('keys', () => {
  test('a request without a key, with a wrong or a revoked one is refused', async () => {
    expect(await call('/v1/runs', undefined)).toMatchObject({ status: 401, body: { code: 'ERR_KEY_MISSING' } });
    expect(await call('/v1/runs', 'mk_guessed')).toMatchObject({ status: 401, body: { code: 'ERR_KEY_INVALID' } });
    const { body } = await post('/v1/tenants/acme/keys', adminKey, { name: 'short-lived', scopes: ['runs:read'] });
    expect((await call('/v1/runs', String(body.key))).status).toBe(200);
    expect((await call(`/v1/tenants/acme/keys/${body.id}`, adminKey, { method: 'DELETE' })).status).toBe(204);
    expect((await call('/v1/runs', String(body.key))).status).toBe(401);
  });

  test('the list of keys does not show them', async () => {
    const { body } = await call('/v1/tenants/acme/keys', adminKey);
    expect(JSON.stringify(body)).not.toContain('mk_');
  });

  test('a key can do what its scopes say', async () => {
    expect((await call('/v1/runs', readOnlyKey)).status).toBe(200);
    expect(await post('/v1/runs', readOnlyKey, newRun())).toMatchObject({ status: 403, body: { code: 'ERR_SCOPE' } });
    for (const path of ['/v1/workers', '/v1/queue', '/v1/tenants/acme/keys']) {
      expect(await call(path, acmeKey), path).toMatchObject({ status: 403, body: { code: 'ERR_SCOPE' } });
      expect((await call(path, adminKey)).status, path).toBe(200);
    }
    expect(await put('/v1/tenants/acme', acmeKey, { weight: 100 })).toMatchObject({ status: 403 });
  });
});

describe('another tenant', () => {
  test('finds nothing behind any route: every one answers as if it were not there', async () => {
    const id = await finishedRun();
    const { task } = await acme.submitTask({ repo: orchestrator.origin, prompt: 'Secret.' });
    const repoId = (await acme.api.GET('/v1/repos')).data?.repos[0]?.id ?? '';
    const idOf = (path: string) => (path.includes('/tasks/') ? task.id : path.includes('/repos/') ? repoId : id);
    const bodies: Record<string, object> = {
      'PUT /v1/tenants/{tenant}': {},
      'POST /v1/tenants/{tenant}/keys': { name: 'mine', scopes: ['admin'] },
      'POST /v1/tasks/{id}/runs': { agents: [newRun().agent] },
    };
    const document = (await (await fetch(`${orchestrator.url}/openapi.json`)).json()) as {
      paths: Record<string, Record<string, unknown>>;
    };
    const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => [method.toUpperCase(), path] as const),
    );
    const walked: string[] = [];
    for (const [method, path] of routes.filter(([, path]) => path.includes('{'))) {
      const concrete = path.replace('{id}', idOf(path)).replace('{tenant}', 'acme').replace('{kind}', 'diff');
      const body = JSON.stringify(bodies[`${method} ${path}`] ?? {});
      const answer = await call(concrete, otherKey, { method, ...(method === 'GET' ? {} : { body }) });
      expect([403, 404], `${method} ${path}: ${answer.status}`).toContain(answer.status);
      walked.push(`${method} ${path}`);
    }
    expect(walked.length).toBeGreaterThanOrEqual(19);
    for (const [path, member] of [
      ['/v1/runs', 'runs'],
      [`/v1/runs?task=${task.id}`, 'runs'],
      [`/v1/runs?repo=${repoId}`, 'runs'],
      ['/v1/tasks', 'tasks'],
      ['/v1/repos', 'repos'],
    ] as const) {
      expect((await call(path, otherKey)).body[member], path).toEqual([]);
    }
    expect(await acme.get(id)).toMatchObject({ state: 'succeeded' });
  });

  test('may use the same idempotency key for a run of its own', async () => {
    const key = randomUUID();
    const other = createClient({ url: orchestrator.url, apiKey: otherKey });
    const [first, second] = [await acme.submit(newRun(), { key }), await other.submit(newRun(), { key })];
    expect(second.id).not.toBe(first.id);
  });
});

test('a tenant sees what it used, and nobody else does', async () => {
  await finishedRun();
  const { status, body } = await call('/v1/tenants/acme/usage', acmeKey);
  expect(status).toBe(200);
  expect((body.runs as Record<string, number>).succeeded).toBeGreaterThan(0);
  expect((await call('/v1/tenants/acme/usage', otherKey)).status).toBe(404);
  expect((await call('/v1/tenants/nobody/usage', adminKey)).status).toBe(404);
});

test('a tenant whose runs may not wait is refused with 429, and only it', async () => {
  await put('/v1/tenants/small', adminKey, { maxQueued: 0 });
  const key = await makeKey('small', ['runs:read', 'runs:write']);
  expect(await post('/v1/runs', key, newRun())).toMatchObject({ status: 429, body: { code: 'ERR_TENANT_QUEUE_FULL' } });
  expect((await post('/v1/runs', acmeKey, newRun())).status).toBe(202);
});

test('a tenant may have so many runs at a time, and is told why the others wait', async () => {
  await put('/v1/tenants/narrow', adminKey, { maxConcurrency: 1 });
  const client = createClient({ url: orchestrator.url, apiKey: await makeKey('narrow', ['runs:read', 'runs:write']) });
  const slow = { ...newRun(), agent: { type: 'command' as const, command: 'sleep 300' } };
  const first = await client.submit(slow);
  await waitFor(async () => (await client.get(first.id)).state === 'running', { timeout: 20_000 });
  const second = await client.submit(slow);
  const why = await waitFor(async () => {
    const { body } = await call(`/v1/runs/${second.id}/why`, adminKey);
    return body.reason === undefined ? undefined : body;
  }).catch(() => undefined);
  expect(why, 'an administrator of another tenant does not see it').toBeUndefined();
  expect((await client.get(second.id)).state).toBe('queued');
  await client.cancel(first.id);
  await waitFor(async () => (await client.get(second.id)).state === 'running', { timeout: 20_000 });
  await client.cancel(second.id);
}, 60_000);

test('a run that failed can be retried, one that succeeded cannot', async () => {
  const failing = await acme.submit({ ...newRun(), agent: { type: 'command', command: 'exit 1' } });
  await waitFor(async () => (await acme.get(failing.id)).state === 'failed', { timeout: 20_000 });
  const again = await post(`/v1/runs/${failing.id}/retry`, acmeKey, {});
  expect(again.status).toBe(202);
  expect(again.body.id).not.toBe(failing.id);
  const succeeded = await finishedRun();
  expect(await post(`/v1/runs/${succeeded}/retry`, acmeKey, {})).toMatchObject({
    status: 409,
    body: { code: 'ERR_RUN_NOT_FAILED' },
  });
});

test('a server that others can reach does not start without keys', async () => {
  const { readConfig } = await import('../src/config.ts');
  expect(readConfig({ HOST: '0.0.0.0' }).auth).toBe('keys');
  expect(() => readConfig({ HOST: '0.0.0.0', AUTH: 'none' })).toThrow(/^AUTH none is for loopback only/);
  expect(() => readConfig({ ADMIN_API_KEY: 'short' })).toThrow('ADMIN_API_KEY must have at least 32 characters.');
});

test('a tenant may use the repositories it was given, and learns nothing of others', async () => {
  const { origin, directory } = orchestrator;
  await put('/v1/tenants/confined', adminKey, { repos: [`${directory}/elsewhere`] });
  const key = await makeKey('confined', ['runs:read', 'runs:write']);
  const refused = { status: 403, body: { code: 'ERR_REPO_FORBIDDEN' } };
  for (const repo of [origin, `${origin}-that-is-not-there`, `${directory}/elsewhere/../origin.git`]) {
    expect(await post('/v1/runs', key, { ...newRun(), repo }), repo).toMatchObject(refused);
    expect(await post('/v1/tasks', key, { repo, prompt: 'x' }), repo).toMatchObject(refused);
    expect(await post('/v1/repos', key, { url: repo }), repo).toMatchObject(refused);
  }
  await put('/v1/tenants/confined', adminKey, { repos: [origin] });
  expect((await post('/v1/runs', key, newRun())).status).toBe(202);
});

test.each([
  ['https://github.com/acme', 'https://github.com/acme/app.git', true],
  ['https://github.com/acme/', 'https://github.com/acme/app', true],
  ['https://github.com/acme/app.git', 'https://github.com/acme/app.git', true],
  ['https://github.com/acme', 'https://github.com/acme-corp/app', false],
  ['https://github.com/acme', 'https://github.com/acme/../other/app', false],
  ['https://github.com/acme', 'https://github.com/acme/%2e%2e/other/app', false],
  ['https://github.com/acme', 'https://github.com.evil.example/acme/app', false],
  ['https://github.com/acme', 'https://github.com@evil.example/acme/app', false],
  ['https://github.com/acme', 'ssh://git@github.com/acme/app', false],
  ['git@github.com:acme', 'git@github.com:acme/app', true],
  ['git@github.com:acme', 'git@github.com:acme/../other/app', false],
  ['/srv/git', '/srv/git/../other/app.git', false],
] as const)('repositories below %s: %s is one: %s', (allowed, address, expected) => {
  expect(mayUseRepo([allowed], address)).toBe(expected);
  expect(mayUseRepo(null, address)).toBe(true);
  expect(mayUseRepo([], address)).toBe(false);
});
