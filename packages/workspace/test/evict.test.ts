import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { type Fixture, fixture, git } from './support/fixture.ts';
import { expectNothingLeft } from './support/nothing-left.ts';

const child = join(import.meta.dirname, 'support/evict-child.ts');

/** Runs an evictor that dies at a step; `meanwhile` runs after it has found the mirror unheld. @returns its signal */
async function runEvictor(it: Fixture, stop: string, meanwhile: () => Promise<void>): Promise<string | null> {
  const [unheld, goOn] = [join(it.folder, 'unheld'), join(it.folder, 'go-on')];
  const args = ['--conditions=@millrace/source', '--import', 'tsx', child, it.root, unheld, goOn, stop];
  const evictor = spawn(process.execPath, args, { stdio: 'inherit' });
  const ended = once(evictor, 'exit');
  try {
    await vi.waitFor(() => expect(existsSync(unheld)).toBe(true), { timeout: 30_000 });
    await meanwhile();
  } finally {
    writeFileSync(goOn, '');
    await ended;
  }
  if (evictor.signalCode === null) expect(evictor.exitCode).toBe(0);
  return evictor.signalCode;
}

/** Names in the mirrors' folders that tell of an eviction, and their records. */
function records(it: Fixture): readonly string[] {
  const names = readdirSync(join(it.root, 'mirrors'), { recursive: true, encoding: 'utf8' });
  return names.filter((name) => /mirror\.json|\.evicting/.test(name)).map((name) => name.replace(/^[^/]+\//, ''));
}

test.each([
  { stop: 'evict:hidden', signal: 'SIGKILL' },
  { stop: 'none', signal: null },
])('an evictor takes no mirror for which a lease was booked meanwhile (it dies at: $stop)', async (end) => {
  await using it = fixture();
  const commit = git(it.origin, 'rev-parse', 'main');
  const manager = it.manager({ strategies: ['clone'] });
  await manager.prefetch(it.origin);
  const checkout = (): ReturnType<typeof manager.checkout> =>
    manager.checkout({ repo: it.origin, ref: commit, branch: 'agent/1', leaseId: 'just-booked' });
  let booked: Awaited<ReturnType<typeof checkout>> | undefined;
  const signal = await runEvictor(it, end.stop, async () => {
    booked = await checkout();
  });
  expect(signal).toBe(end.signal);
  if (booked === undefined) throw new Error('There is no workspace');
  const next = it.manager({ strategies: ['clone'], limits: { freeBytes: 0, rootBytes: 1 } });
  await next.ready();
  expect(records(it)).toEqual(['mirror.json']);
  expect((await next.prune()).evictedMirrors).toBe(0);
  expect((await booked.exec('git', ['fsck', '--full', '--strict'])).exitCode).toBe(0);
  writeFileSync(join(booked.path, 'x.txt'), 'x\n');
  const mine = await booked.commitAll('Mine');
  await booked.push();
  expect(git(it.origin, 'rev-parse', 'agent/1')).toBe(mine?.sha);
  // Without its remote, the next checkout has nothing but the mirror.
  renameSync(it.origin, `${it.origin}.away`);
  await using other = await next.checkout({ repo: it.origin, ref: commit });
  expect((await other.status()).clean).toBe(true);
  await other.dispose();
  await booked.dispose();
  expect((await next.prune()).evictedMirrors).toBe(1);
  expectNothingLeft(it.root, { mirrors: false });
});

test('what an evictor that died left hidden is evicted by the next one', async () => {
  await using it = fixture();
  await it.manager({ strategies: ['clone'] }).prefetch(it.origin);
  expect(await runEvictor(it, 'evict:hidden', () => Promise.resolve())).toBe('SIGKILL');
  expect(records(it)).toEqual(['mirror.json.evicting']);
  const next = it.manager({ strategies: ['clone'], limits: { freeBytes: 0, rootBytes: 1 } });
  expect((await next.prune()).evictedMirrors).toBe(1);
  expectNothingLeft(it.root, { mirrors: false });
});
