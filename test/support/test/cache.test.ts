import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { cachedFolder } from '../src/cache.ts';

/** A child that asks for the cached folder and notes each time that it had to make it. */
const asker = `
  import { appendFile } from 'node:fs/promises';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { cachedFolder } from '${join(import.meta.dirname, '..', 'src', 'cache.ts')}';
  const [within, notes] = process.argv.slice(1);
  await cachedFolder('thing', async () => { await appendFile(notes, 'made '); await sleep(200); }, within);
`;

async function ask(within: string, notes: string): Promise<number | null> {
  const args = ['--import', 'tsx', '--input-type=module', '--eval', asker, within, notes];
  const [code] = await once(spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'] }), 'exit');
  return code;
}

test('processes that ask at the same moment make it once', async () => {
  await using folder = await temporaryDirectory();
  const within = join(folder.path, 'cache');
  const notes = join(folder.path, 'notes');
  await mkdir(within);
  expect(await Promise.all([1, 2, 3, 4].map(() => ask(within, notes)))).toEqual([0, 0, 0, 0]);
  expect(await readFile(notes, 'utf8')).toBe('made ');
  expect(await readdir(within)).toEqual(['thing']);
});

test('what could not be made leaves nothing, and the next one tries again', async () => {
  await using folder = await temporaryDirectory();
  const broken = cachedFolder('thing', () => Promise.reject(new Error('no network')), folder.path);
  await expect(broken).rejects.toThrow('no network');
  expect(await readdir(folder.path)).toEqual([]);
  await cachedFolder('thing', (draft) => writeFile(join(draft, 'file'), 'x'), folder.path);
  expect(await readdir(join(folder.path, 'thing'))).toEqual(['file']);
});

test('the lock of a process that died is taken over', async () => {
  await using folder = await temporaryDirectory();
  const gone = spawn('true');
  await once(gone, 'exit');
  await writeFile(join(folder.path, 'thing.lock'), String(gone.pid));
  await cachedFolder('thing', async () => {}, folder.path);
  expect(await readdir(folder.path)).toEqual(['thing']);
  await rm(join(folder.path, 'thing'), { recursive: true });
});
