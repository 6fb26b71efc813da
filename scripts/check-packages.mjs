// Checks each built package as npm would publish it: publint (manifest) and are-the-types-wrong (resolution).
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';

let failed = 0;
for (const name of readdirSync('packages')) {
  const cwd = `packages/${name}`;
  for (const args of [
    ['publint', '--strict'],
    ['attw', '--pack', '.', '--profile', 'esm-only'],
  ]) {
    const { status, stdout, stderr } = spawnSync('npx', ['--no-install', ...args], { cwd, encoding: 'utf8' });
    if (status === 0) continue;
    failed += 1;
    process.stderr.write(`${name}: ${args[0]} failed\n${stdout}${stderr}\n`);
  }
}
process.stdout.write(failed === 0 ? 'packages: publint and attw are clean\n' : `${failed} package checks failed\n`);
process.exitCode = failed === 0 ? 0 : 1;
