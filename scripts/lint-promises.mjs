// ESLint's type-aware rules, a process for each workspace and one for the rest, two at a time: ESLint keeps the types of
// all that it has read, and those of the whole tree do not fit into Node's default heap.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const AT_ONCE = 2;

const { workspaces } = JSON.parse(readFileSync('package.json', 'utf8'));
const rest = ['.', ...workspaces.flatMap((workspace) => ['--ignore-pattern', `${workspace}/**`])];
// The largest first, so that none of them is left alone at the end.
const waiting = [[workspaces.at(-1)], rest, ...workspaces.slice(0, -1).map((workspace) => [workspace])];

await Promise.all(Array.from({ length: AT_ONCE }, lintWhatWaits));

async function lintWhatWaits() {
  for (let part = waiting.shift(); part !== undefined; part = waiting.shift()) {
    if ((await lint(part)) !== 0) process.exitCode = 1;
  }
}

function lint(part) {
  const eslint = spawn(process.execPath, ['node_modules/eslint/bin/eslint.js', ...part], { stdio: 'inherit' });
  return new Promise((resolve, reject) => eslint.once('error', reject).once('close', resolve));
}
