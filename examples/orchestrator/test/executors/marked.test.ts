import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync } from 'node:fs';
import { expect, test } from 'vitest';
import { killMarked, runMarker } from '../../src/executors/marked.ts';
import { newId } from '../../src/ids.ts';

async function startMarked(runId: string): Promise<ChildProcess> {
  const env = { PATH: process.env.PATH ?? '', [runMarker]: runId };
  const child = spawn('sh', ['-c', 'echo up; exec sleep 300'], {
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  // From now on /proc knows of it.
  lstatSync(`/proc/${child.pid}`);
  return child;
}

test('kills the processes of a run that began before them, and no others', async () => {
  const [mine, other] = [newId(), newId()];
  const [child, stranger] = [await startMarked(mine), await startMarked(other)];
  const exit = once(child, 'exit');
  await killMarked(mine, Date.now());
  expect(await exit).toEqual([null, 'SIGKILL']);
  expect(stranger.signalCode).toBeNull();
  stranger.kill('SIGKILL');
});

test('kills what an earlier delivery of the run has left', async () => {
  const mine = newId();
  const child = await startMarked(mine);
  const exit = once(child, 'exit');
  await killMarked(mine, Date.now() + 60_000);
  expect(await exit).toEqual([null, 'SIGKILL']);
});

test('does not look into processes that are older than the run', async () => {
  const later = Date.now() + 60_000;
  const [mine, other] = [newId(later), newId()];
  const [child, last] = [await startMarked(mine), await startMarked(other)];
  await killMarked(mine, later);
  // Had the first been killed, its end would have been seen before the end of this one.
  const exit = once(last, 'exit');
  await killMarked(other, Date.now());
  await exit;
  expect(child.signalCode).toBeNull();
  child.kill('SIGKILL');
});
