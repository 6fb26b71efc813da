import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { copyData } from './template.ts';

const run = promisify(execFile);

/**
 * Copies a running server's data as `pg_basebackup` does, whose program does not come with the binaries from npm.
 */
export async function copyRunning(url: string, data: string, target: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    await client.query(`SELECT pg_backup_start('copy', true)`);
    await copyData(data, target);
    const { rows } = await client.query<{ labelfile: string }>('SELECT labelfile FROM pg_backup_stop()');
    await run('rm', ['-rf', join(target, 'postmaster.pid'), join(target, 'pg_wal')]);
    // What was written while the copy was made: the server replays it from here.
    await copyData(join(data, 'pg_wal'), join(target, 'pg_wal'));
    await writeFile(join(target, 'backup_label'), rows[0]?.labelfile ?? '');
    await run('chown', ['-R', '--reference', data, target]);
    await run('chmod', ['0700', target]);
  } finally {
    await client.end();
  }
}
