import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { startGitServer, startProxy, testRepos } from '@millrace/test-support';
import { type Answer, type Question, repoNames } from './server.ts';

// The server and its link have a process of their own, so that a manager's work and theirs do not share an event loop.
const server = await startGitServer();
const proxy = await startProxy({ target: server.url });
proxy.latency(10);
const repos = await testRepos();

async function serve(name: string, from: string): Promise<string> {
  const url = new URL(await server.createRepo(`${name}.git`, from));
  url.port = String(proxy.port);
  // The bundles name no HEAD, and the peer clones what HEAD means.
  execFileSync('git', ['symbolic-ref', 'HEAD', 'refs/heads/main'], { cwd: join(server.root, `${name}.git`) });
  return url.href;
}

async function answer({ name, from }: Question): Promise<Answer> {
  const url = name === undefined ? undefined : await serve(name, from ?? '');
  return { url, requests: server.requests.map(({ method, url: path }) => ({ method, path })) };
}

const urls: string[] = [];
for (const name of repoNames) urls.push(await serve(name, repos[name]));
process.on('message', (question: Question) => {
  void answer(question).then((message) => process.send?.(message));
});
process.on('disconnect', () => {
  void Promise.all([proxy.stop(), server.stop()]).then(() => process.exit());
});
process.send?.({ urls, root: server.root });
