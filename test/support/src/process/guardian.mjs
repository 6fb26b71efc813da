// The guardian: a small process that starts servers for one test process and outlives it just long enough to end them.
// It is plain JavaScript because it must start in milliseconds without a TypeScript loader on every supported Node.
//
// Life: the test process forks it with an IPC channel. Whatever ends the test process — a return, an exception,
// Ctrl-C, kill -9 — closes that channel; the guardian then stops every server by pid, removes the folder, and leaves.
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';

const [folder] = process.argv.slice(2);
/** Running servers by id. @type {Map<string, {child: import('node:child_process').ChildProcess, stopSignal: NodeJS.Signals}>} */
const servers = new Map();
const GRACE_MS = 5_000;

// Ctrl-C reaches the whole foreground group; only the closed channel may end the guardian.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {});

function tell(message) {
  if (process.connected) process.send(message, () => {});
}

function start({ id, command, args, env, cwd, uid, gid, log, stopSignal }) {
  const output = openSync(log, 'a');
  const identity = uid === undefined ? {} : { uid, gid };
  const child = spawn(command, args, { cwd, env, detached: true, stdio: ['ignore', output, output], ...identity });
  closeSync(output);
  child.once('error', (error) => tell({ type: 'failed', id, message: error.message }));
  child.once('exit', (code, signal) => {
    servers.delete(id);
    tell({ type: 'exited', id, code, signal });
  });
  if (child.pid === undefined) return;
  servers.set(id, { child, stopSignal });
  tell({ type: 'started', id, pid: child.pid });
}

function send(child, signal) {
  // A server paused by SIGSTOP would never see the signal that asks it to end.
  if (signal !== 'SIGSTOP' && signal !== 'SIGCONT') child.kill('SIGCONT');
  child.kill(signal);
}

function ended({ child }) {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once('exit', resolve));
}

async function leave() {
  const running = [...servers.values()];
  for (const { child, stopSignal } of running) send(child, stopSignal);
  const forced = setTimeout(() => {
    for (const { child } of running) send(child, 'SIGKILL');
  }, GRACE_MS);
  await Promise.all(running.map(ended));
  clearTimeout(forced);
  rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
  process.exit(0);
}

process.on('message', (message) => {
  if (message.type === 'start') start(message);
  else if (message.type === 'signal') {
    const server = servers.get(message.id);
    if (server) send(server.child, message.signal);
  }
});
process.once('disconnect', () => void leave());
tell({ type: 'ready' });
