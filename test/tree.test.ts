import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const root = join(import.meta.dirname, '..');
const tracked = execFileSync('git', ['ls-files', '-z'], { cwd: root, encoding: 'utf8' })
  .split('\0')
  .filter((file) => file !== '' && statSync(join(root, file), { throwIfNoEntry: false })?.isFile());
const text = tracked.filter((file) => !/\.(png|jpg|ico|bundle|gz|pack)$/.test(file));

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

function holding(pattern: RegExp, files: readonly string[] = text): string[] {
  return files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])),
  );
}

const self = 'test/tree.test.ts';

test('the lock file names no host, so that any registry can serve it', () => {
  expect(holding(/"resolved": "https?:/, ['package-lock.json'])).toEqual([]);
});

test('the lock file has every optional package, also of other platforms, or `npm ci` would refuse it', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const locked = new Set(Object.keys(packages).map((path) => path.split('node_modules/').at(-1)));
  const wanted = Object.values(packages).flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies));
  const cure = 'run "node scripts/complete-lock.mjs"';
  expect(
    [...new Set(wanted)].filter((name) => !locked.has(name)),
    cure,
  ).toEqual([]);
});

test('no tracked file knows the machine it was written on', () => {
  const others = text.filter((file) => file !== self);
  expect(
    holding(/\/work\/(?:main|shared)|\/tmp\/brief|\/home\/(?!runner|user|node|me|you|ada)[a-z]+\//, others),
  ).toEqual([]);
});

test('no tracked file carries a credential or a registry', () => {
  const others = text.filter((file) => file !== self);
  const secrets =
    /_authToken|^\s*registry\s*=|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY|\bgh[ps]_[A-Za-z0-9]{36}\b|\bAKIA[0-9A-Z]{16}\b/;
  expect(holding(secrets, others)).toEqual([]);
});

test('no test is left focused', () => {
  const tests = text.filter((file) => file.endsWith('.test.ts') && file !== self);
  expect(holding(/\b(?:test|it|describe)\.only\b/, tests)).toEqual([]);
});

test('every skipped test gives its reason, on its line or the one before', () => {
  const skip = /\b(?:test|it|describe)\.(?:skip|todo)\b|\.(?:skipIf|runIf)\(/;
  const unexplained = text
    .filter((file) => file.endsWith('.test.ts') && file !== self)
    .flatMap((file) => {
      const lines = read(file).split('\n');
      const silent = (index: number): boolean => !`${lines[index - 1]}${lines[index]}`.includes('//');
      return lines.flatMap((line, index) =>
        skip.test(line) && silent(index) ? [`${file}:${index + 1}: ${line}`] : [],
      );
    });
  expect(unexplained).toEqual([]);
});

test('a source file is one topic: at most 400 lines, unless a program writes it', () => {
  const sources = text.filter(
    (file) => /\/(?:src|test|bench)\/.*\.(?:ts|mjs|lua|sql)$/.test(file) && !file.endsWith('.generated.ts'),
  );
  expect(sources.filter((file) => read(file).trimEnd().split('\n').length > 400)).toEqual([]);
});
