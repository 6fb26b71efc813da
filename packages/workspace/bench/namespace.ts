import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { compare, depthOne, type Measurement, removePeers } from './common.ts';

/** What the child measured. */
export interface NamespaceSample {
  readonly ms: readonly number[];
  readonly bytes: readonly number[];
}

const child = join(import.meta.dirname, 'namespace-child.ts');

/** Asynchronous, since the server and its link live in this process. */
function asNobody(root: string, url: string, rounds: number): Promise<string> {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', child, root, url, String(rounds)];
  const nobody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
  const env = { PATH: process.env.PATH, TMPDIR: root };
  return new Promise((resolve, reject) => {
    const running = spawn(process.execPath, args, { ...nobody, env, stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    running.stdout.on('data', (chunk: Buffer) => {
      text += chunk.toString('utf8');
    });
    running.once('close', (code) => (code === 0 ? resolve(text) : reject(new Error(`The child ended with ${code}`))));
  });
}

/** An overlay in a user namespace, by a user without any right. */
export const namespace: Measurement = async (bench, suffix) => {
  const folder = mkdtempSync(join(bench.folder, 'namespace-'));
  for (const path of [bench.folder, folder]) chmodSync(path, 0o755);
  mkdirSync(join(folder, 'root'));
  chmodSync(join(folder, 'root'), 0o777);
  const peer: { readonly ms: number; readonly bytes: number }[] = [];
  for (let round = 0; round < bench.rounds; round += 1) peer.push(await depthOne(bench));
  removePeers(bench);
  const { ms, bytes } = JSON.parse(await asNobody(join(folder, 'root'), bench.url, bench.rounds)) as NamespaceSample;
  rmSync(folder, { recursive: true, force: true });
  return [
    compare(
      `namespace.time${suffix}`,
      ms,
      peer.map((one) => one.ms),
      'ms',
    ),
    compare(
      `namespace.disk${suffix}`,
      bytes,
      peer.map((one) => one.bytes),
      'B',
    ),
  ];
};
