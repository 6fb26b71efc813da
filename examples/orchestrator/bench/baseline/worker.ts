import { execFile, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BaselineRun, BaselineStore } from './store.ts';

const run = promisify(execFile);
const identity = ['-c', 'user.name=Baseline', '-c', 'user.email=baseline@localhost'];

/** Milliseconds between two looks at the queue when it is empty, or when every place is taken. */
const pollInterval = 1000;
const concurrency = 4;

/** The working copy of one run: the whole of what the POST request waits for. */
export async function clone(repo: string, directory: string, branch: string): Promise<void> {
  await run('git', ['clone', '--quiet', '--depth', '1', '--single-branch', repo, directory]);
  await run('git', ['-C', directory, 'checkout', '--quiet', '-b', branch]);
}

/** The described worker: one claim per turn, a semaphore of four, a second's sleep when there is nothing to do. */
export async function work(store: BaselineStore, signal: AbortSignal): Promise<void> {
  let busy = 0;
  while (!signal.aborted) {
    const job = busy < concurrency ? store.claim() : undefined;
    if (!job) {
      await sleep(pollInterval);
      continue;
    }
    busy += 1;
    void execute(store, job).finally(() => {
      busy -= 1;
    });
  }
}

async function execute(store: BaselineStore, job: BaselineRun): Promise<void> {
  const logs: string[] = [];
  store.started(job.id);
  try {
    await agent(job, logs);
    const git = (...args: string[]) => run('git', ['-C', job.directory, ...identity, ...args]);
    await git('add', '--all');
    await git('commit', '--quiet', '-m', 'Agent');
    const { stdout } = await git('diff', 'HEAD~1');
    await git('push', '--quiet', 'origin', job.branch);
    store.finished(job.id, 'succeeded', logs, stdout);
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
    store.finished(job.id, 'failed', [...logs, String(error)], '');
  }
}

/** The agent inherits everything that the server has in its environment. */
async function agent(job: BaselineRun, logs: string[]): Promise<void> {
  const child = spawn('/bin/sh', ['-c', job.command], { cwd: job.directory, stdio: ['ignore', 'pipe', 'pipe'] });
  const keep = (chunk: Buffer): void => void logs.push(...chunk.toString().split('\n'));
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`The agent exited with ${code}.`))));
  });
}
