import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { statOfPatch } from '../src/worker/patch-stat.ts';

test('counts what git diff --numstat counts', async () => {
  await using directory = await temporaryDirectory('patch');
  const git = (...args: string[]) =>
    execFileSync('git', ['-C', directory.path, '-c', 'user.name=T', '-c', 'user.email=t@localhost', ...args], {
      maxBuffer: 2 ** 26,
    });
  const write = (name: string, content: string | Buffer) => writeFile(join(directory.path, name), content);
  git('init', '--quiet');
  await write('same.txt', 'a\nb\n');
  await write('gone.txt', 'x\ny\nz\n');
  await write('dashes.sql', '-- one\n++ two\n@@ -1,2 +1,2 @@\ndiff --git a/x b/x\n');
  await write('binary', Buffer.from([0, 1, 2, 3]));
  await write('no-end', 'a\nb');
  git('add', '.');
  git('commit', '--quiet', '-m', 'one');
  git('rm', '--quiet', 'gone.txt');
  await write('same.txt', 'a\nB\nc\n');
  await write('dashes.sql', '-- 1\n++ 2\n@@ -3,4 +3,4 @@\ndiff --git a/y b/y\n--- a\n+++ b\n');
  await write('binary', Buffer.from([0, 9, 9, 9, 10, 0]));
  await write('no-end', 'a\nc');
  await write('empty', '');
  await write('new.txt', Array.from({ length: 100 }, (_, index) => `${index}\n`).join(''));
  git('add', '--all');
  const lines = git('diff', '--cached', '--no-renames', '--numstat').toString().trim().split('\n');
  const sum = (column: number) => lines.reduce((total, line) => total + (Number(line.split('\t')[column]) || 0), 0);
  const patch = git('diff', '--cached', '--no-renames', '--binary', '--full-index');
  expect(statOfPatch(patch)).toEqual({ files_changed: lines.length, insertions: sum(0), deletions: sum(1) });
  expect(statOfPatch(Buffer.from(''))).toEqual({ files_changed: 0, insertions: 0, deletions: 0 });
});
