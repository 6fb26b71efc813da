import { existsSync, writeFileSync } from 'node:fs';
import { buildManager } from '../../src/create-manager.ts';

// Evicts all that it can. Finds the mirror unheld, says so, waits for the other file, and dies at the named step.
const [root = '', unheld = '', goOn = '', stop = ''] = process.argv.slice(2);
const cell = new Int32Array(new SharedArrayBuffer(4));
const manager = buildManager(
  { root, allowedProtocols: ['file'], limits: { freeBytes: 0, rootBytes: 1 }, strategies: ['clone'] },
  (name) => {
    if (name === 'evict:unheld') {
      writeFileSync(unheld, '');
      while (!existsSync(goOn)) Atomics.wait(cell, 0, 0, 10);
    }
    if (name === stop) process.kill(process.pid, 'SIGKILL');
  },
);
await manager.prune();
await manager.close();
