import { generateKeyPairSync } from 'node:crypto';
import { scaledClock } from '@millrace/ratelimit/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type CommentDraft, ForgeError, type PullRequestDraft } from '../../src/forge/forge.ts';
import { createGithubClients } from '../../src/forge/github/clients.ts';
import { type Github, openGithub } from '../../src/forge/github/github.ts';
import type { GithubAuth, GithubSettings } from '../../src/forge/github/settings.ts';
import { type FakeGithub, type GithubFault, startFakeGithub } from '../support/fake-github.ts';
import { fakeCheckRun } from '../support/fake-github-repo.ts';

const repoUrl = 'https://github.example/acme/app.git';
const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pem = privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
const token: GithubAuth = { kind: 'token', token: 'ghp_secret' };
const app: GithubAuth = { kind: 'app', appId: '17', privateKey: pem };
const draft: PullRequestDraft = {
  repoId: 'r',
  repoUrl,
  head: 'millrace/1',
  headSha: 'a'.repeat(40),
  base: undefined,
  title: 'Mend it',
  body: 'Because.',
};
const comment: CommentDraft = { repoId: 'r', repoUrl, number: 1, mark: 'run-1', body: 'Hello.' };
const signal = new AbortController().signal;

let fake: FakeGithub;
beforeEach(async () => {
  fake = await startFakeGithub({ owner: 'acme', name: 'app' });
});
afterEach(async () => {
  const { violations } = fake;
  await fake[Symbol.asyncDispose]();
  expect(violations, "requests and answers fit GitHub's own description").toEqual([]);
});

function open(auth: GithubAuth = token, limits?: GithubSettings['limits']): Github {
  const settings = { webUrl: 'https://github.example', apiUrl: fake.url, auth, hook: undefined, limits };
  return openGithub(settings, createGithubClients({ settings, clock: scaledClock(200) }));
}

const isMuchOfAnHour = (milliseconds: number): boolean => milliseconds > 600_000 && milliseconds <= 3_600_000;

describe('a pull request', () => {
  test('is opened once and found again', async () => {
    const { forge } = open();
    const first = await forge.openPullRequest(draft, signal);
    expect(first).toEqual({ number: 1, url: 'https://github.example/acme/app/pull/1', forgeRepoId: fake.repo.id });
    expect(await forge.openPullRequest(draft, signal)).toEqual(first);
    expect(fake.repo.pulls).toHaveLength(1);
    expect(fake.repo.pulls[0]).toMatchObject({ title: 'Mend it', base: { ref: 'main' } });
    expect(fake.requests.filter((request) => request.startsWith('PATCH'))).toEqual([]);
  });

  test('is brought up to date when its words changed', async () => {
    const { forge } = open();
    await forge.openPullRequest(draft, signal);
    await forge.openPullRequest({ ...draft, title: 'Mend it well' }, signal);
    expect(fake.repo.pulls).toMatchObject([{ title: 'Mend it well' }]);
  });

  test('waits when a server allows fewer writes than github.com, and says for how long', async () => {
    const { forge } = open(token, { writesPerHour: 1 });
    await forge.openPullRequest(draft, signal);
    const second = forge.openPullRequest({ ...draft, head: 'millrace/2' }, signal);
    await expect(second).rejects.toMatchObject({
      code: 'ERR_FORGE',
      retryAfter: expect.toSatisfy(isMuchOfAnHour),
    });
    expect(fake.repo.pulls).toHaveLength(1);
  });

  test('that somebody merged is not opened again', async () => {
    const { forge } = open();
    await forge.openPullRequest(draft, signal);
    Object.assign(fake.repo.pulls[0] ?? {}, {
      state: 'closed',
      head: { ...(fake.repo.pulls[0]?.head as object), sha: draft.headSha },
    });
    expect(await forge.openPullRequest(draft, signal)).toMatchObject({ number: 1 });
    expect(fake.repo.pulls).toHaveLength(1);
  });

  const creating = (method: string, path: string): boolean => method === 'POST' && path.endsWith('/pulls');
  const secondary = { message: 'You have exceeded a secondary rate limit.' };
  const faults: readonly (readonly [string, GithubFault['answer']])[] = [
    ['500', { status: 500 }],
    ['502', { status: 502 }],
    ['403 of the secondary limit', { status: 403, body: secondary, headers: { 'retry-after': '0' } }],
    ['no answer', 'cut'],
  ];
  for (const [name, answer] of faults) {
    for (const afterEffect of [true, false]) {
      test(`is one when GitHub answers ${name} ${afterEffect ? 'after' : 'before'} the effect`, async () => {
        const { forge } = open();
        fake.fail({ when: creating, answer, afterEffect });
        // Where our own attempts do not suffice the run tries again: another call, perhaps by another worker.
        const opened = await forge.openPullRequest(draft, signal).catch((error: ForgeError) => {
          expect(error).toMatchObject({ code: 'ERR_FORGE', retryable: true });
          return undefined;
        });
        expect(opened ?? (await open().forge.openPullRequest(draft, signal))).toMatchObject({ number: 1 });
        expect(fake.repo.pulls).toHaveLength(1);
      });
    }
  }

  test('is one when two workers open it at the same time', async () => {
    const both = await Promise.all([
      open().forge.openPullRequest(draft, signal),
      open().forge.openPullRequest(draft, signal),
    ]);
    expect(both.map(({ number }) => number)).toEqual([1, 1]);
    expect(fake.repo.pulls).toHaveLength(1);
  });

  test('that GitHub refuses is refused for good, and the error says why without the token', async () => {
    fake.fail({ when: creating, afterEffect: false, answer: { status: 404, body: { message: 'Not Found' } } });
    const error = await open()
      .forge.openPullRequest(draft, signal)
      .catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ForgeError);
    expect(error).toMatchObject({ retryable: false, status: 404 });
    expect(String((error as Error).message)).toContain('may not see it');
    expect(String((error as Error).message)).not.toContain('ghp_secret');
  });
});

test('a comment is written once, and changed when its text did', async () => {
  const { forge } = open();
  await forge.comment(comment, signal);
  await forge.comment(comment, signal);
  fake.fail({ when: (method) => method === 'POST', answer: { status: 500 } });
  await forge.comment({ ...comment, mark: 'run-2' }, signal);
  await forge.comment({ ...comment, body: 'Good bye.' }, signal);
  expect(fake.repo.comments.map(({ body }) => String(body).split('\n')[0])).toEqual(['Good bye.', 'Hello.']);
});

test('checks are read from every list that may have some, as webhooks would tell them', async () => {
  const { forge } = open();
  const sha = 'b'.repeat(40);
  fake.repo.checkRuns.set(sha, [fakeCheckRun(sha, 'test', 'success', 1), fakeCheckRun(sha, 'lint', null, 2)]);
  const commit = { repoUrl, forgeRepoId: fake.repo.id, sha };
  const found = await forge.readChecks(commit, ['check_run', 'status', 'workflow_job'], signal);
  expect(found.map(({ source, name, status, conclusion }) => [source, name, status, conclusion])).toEqual([
    ['check_run', 'test', 'completed', 'success'],
    ['check_run', 'lint', 'in_progress', undefined],
  ]);
  expect(fake.requests.map((request) => request.split('?')[0])).toEqual([
    `GET /repos/acme/app/commits/${sha}/check-runs`,
    `GET /repos/acme/app/commits/${sha}/status`,
    'GET /repos/acme/app/actions/runs',
  ]);
  expect(found.every(({ repoId }) => repoId === fake.repo.id)).toBe(true);
});

test('an App calls with tokens of its installation, and gives git one for the repository and the operation only', async () => {
  const github = open(app);
  await github.forge.openPullRequest(draft, signal);
  await github.forge.openPullRequest(draft, signal);
  const asked = fake.requests.filter((request) => request.includes('installation'));
  expect(asked).toEqual(['GET /repos/acme/app/installation', 'POST /app/installations/99/access_tokens']);
  expect(fake.authorizations.filter((header) => header === 'token ghs_api').length).toBeGreaterThan(2);
  const question = { protocol: 'https', host: 'github.example', path: 'acme/app.git' } as const;
  expect(await github.credentials({ ...question, operation: 'push' })).toEqual({
    username: 'x-access-token',
    password: 'ghs_git-write',
  });
  expect(await github.credentials({ ...question, operation: 'fetch' })).toMatchObject({ password: 'ghs_git-read' });
});

test('git gets the token for this GitHub over its own protocol only', async () => {
  const { credentials, owns } = open();
  const ask = (protocol: string, host: string, path = 'acme/app.git') =>
    credentials({ operation: 'push', protocol, host, path });
  expect(await ask('https', 'github.example')).toEqual({ username: 'x-access-token', password: 'ghp_secret' });
  expect(await ask('http', 'github.example')).toBeUndefined();
  expect(await ask('https', 'evil.example')).toBeUndefined();
  expect(await ask('https', 'github.example.evil.example')).toBeUndefined();
  expect(['git@github.example:acme/app.git', 'ssh://git@github.example/acme/app', repoUrl].map(owns)).toEqual([
    true,
    true,
    true,
  ]);
  expect(['https://github.example/acme', 'https://other.example/acme/app', '/srv/app.git'].map(owns)).toEqual([
    false,
    false,
    false,
  ]);
});
