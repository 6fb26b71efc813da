import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';

interface Started {
  readonly pids: readonly number[];
  readonly folder: string;
}

async function startChild(mode: string): Promise<{ child: ChildProcess; started: Started }> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [mode], {
    execArgv: ['--conditions=@millrace/source', '--import', 'tsx'],
  });
  const [started] = (await once(child, 'message')) as [Started];
  return { child, started };
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function everythingIsGone({ pids, folder }: Started): Promise<void> {
  await waitFor(() => !pids.some(alive) && !existsSync(dirname(folder)), {
    timeout: 20_000,
    what: 'the servers and the folder to be gone',
  });
}

for (const signal of ['SIGKILL', 'SIGINT', 'SIGTERM'] as const) {
  test(`servers and folders go when the test process is ended by ${signal}`, async () => {
    const { child, started } = await startChild('hang');
    expect(started.pids.every(alive)).toBe(true);
    child.kill(signal);
    await everythingIsGone(started);
  });
}

test('servers and folders go when the test process forgets to stop them', async () => {
  const { child, started } = await startChild('return');
  const exit = once(child, 'exit');
  child.disconnect();
  await everythingIsGone(started);
  expect(await exit).toEqual([0, null]);
});

test('a server that was paused goes, too', async () => {
  const { child, started } = await startChild('paused');
  child.kill('SIGKILL');
  await everythingIsGone(started);
});
