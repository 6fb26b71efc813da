import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { temporaryDirectory } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { packSession, type SessionPlace, unpackSession } from '../src/sessions/archive.ts';
import { findSession } from '../src/sessions/kept.ts';
import { submit, testDatabase } from './support/database.ts';

const bounds = { bytes: 1000, files: 3 };

async function place(root: string, name: string, files: Readonly<Record<string, string | Buffer>> = {}) {
  const home = join(root, name, 'home');
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), content);
  }
  return { home, folders: [`.agent/${name}`], workspace: `/work/${name}` } satisfies SessionPlace;
}

test('a session moves to another home, and speaks of the new workspace', async () => {
  await using directory = await temporaryDirectory('sessions');
  const archive = join(directory.path, 'archive');
  const one = await place(directory.path, 'one', {
    '.agent/one/2026/chat.jsonl': '{"cwd":"/work/one/src"}\n',
    '.agent/one/index.sqlite': Buffer.from([0, 1, 2]),
    '.agent/elsewhere': 'not of this session',
  });
  expect(await packSession(one, [], bounds, archive)).toBe(1);
  const two = await place(directory.path, 'two');
  await unpackSession(archive, two);
  expect(await readFile(join(two.home, '.agent/two/2026/chat.jsonl'), 'utf8')).toBe('{"cwd":"/work/two/src"}\n');
});

test('what a link points at and what is secret is not kept', async () => {
  await using directory = await temporaryDirectory('sessions');
  const archive = join(directory.path, 'archive');
  const one = await place(directory.path, 'one', { '.agent/one/chat': 'my token is mr_secret', private: 'private' });
  await symlink(join(one.home, 'private'), join(one.home, '.agent/one/link'));
  await symlink(one.home, join(one.home, '.agent/one/folder'));
  await packSession(one, ['mr_secret'], bounds, archive);
  const kept = gunzipSync(await readFile(archive)).toString();
  expect(kept).toContain('my token is [secret]');
  expect(kept).not.toContain('private');
});

test('a session that is too large is not kept, and one that is empty leaves nothing', async () => {
  await using directory = await temporaryDirectory('sessions');
  const archive = join(directory.path, 'archive');
  const heavy = await place(directory.path, 'heavy', {
    '.agent/heavy/a': 'x'.repeat(600),
    '.agent/heavy/b': 'x'.repeat(600),
  });
  await expect(packSession(heavy, [], bounds, archive)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' });
  const many = await place(
    directory.path,
    'many',
    Object.fromEntries([1, 2, 3, 4].map((n) => [`.agent/many/${n}`, ''])),
  );
  await expect(packSession(many, [], bounds, archive)).rejects.toMatchObject({ code: 'ERR_SESSION_TOO_LARGE' });
  expect(await packSession(await place(directory.path, 'none'), [], bounds, archive)).toBe(0);
  await expect(readFile(archive)).rejects.toThrow('ENOENT');
});

test('an archive writes nothing outside its folders', async () => {
  await using directory = await temporaryDirectory('sessions');
  const archive = join(directory.path, 'archive');
  const entries = [
    { folder: 0, path: '../../escaped', text: 'x' },
    { folder: 7, path: 'nowhere', text: 'x' },
    { folder: 0, path: 'inside', text: 'x' },
  ];
  await writeFile(archive, gzipSync(entries.map((entry) => JSON.stringify(entry)).join('\n')));
  const two = await place(directory.path, 'two');
  await unpackSession(archive, two);
  expect(await readFile(join(two.home, '.agent/two/inside'), 'utf8')).toBe('x');
  await expect(readFile(join(two.home, '../escaped'))).rejects.toThrow('ENOENT');
  await expect(readFile(join(two.home, 'escaped'))).rejects.toThrow('ENOENT');
});

test('a session is found by its tenant and its agent only, and the latest state of it', async () => {
  await using database = await testDatabase();
  const { db } = database;
  await db.insertInto('tenants').values({ id: 'other' }).execute();
  const store = async (key: string, tenantId: string, type: string): Promise<void> => {
    const id = await submit(database, { tenantId, agent: { type } });
    await db.updateTable('runs').set({ session_id: 's' }).where('id', '=', id).execute();
    const artifact = { run_id: id, kind: 'session', object_key: key, sha256: '', size: 1 };
    await db.insertInto('artifacts').values(artifact).execute();
  };
  await store('first', 'default', 'claude');
  await store('second', 'default', 'claude');
  await store('codex', 'default', 'codex');
  const found = (tenantId: string, agent: string) => findSession(db, { tenantId, agent, sessionId: 's' });
  expect(await found('default', 'claude')).toBe('second');
  expect(await found('default', 'codex')).toBe('codex');
  expect(await found('other', 'claude')).toBeUndefined();
  expect(await found('default', 'gemini')).toBeUndefined();
});
