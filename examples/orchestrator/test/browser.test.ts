import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { type Program, programOf, temporaryDirectory } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { startTestOrchestrator } from './support/orchestrator.ts';

/** What the page heard until the browser gave up by itself. */
interface Heard {
  readonly lines: number[];
  readonly states: string[];
  readonly opens: number;
}

const page = (runId: string): string => `<!doctype html><script>
  const heard = { lines: [], states: [], opens: 0 };
  const source = new EventSource('/v1/runs/${runId}/events');
  source.onopen = () => { heard.opens += 1; };
  source.addEventListener('log', ({ data }) => heard.lines.push(...JSON.parse(data).lines.map(({ seq }) => seq)));
  source.addEventListener('state', ({ data }) => heard.states.push(JSON.parse(data).state));
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) fetch('/heard', { method: 'POST', body: JSON.stringify(heard) });
  };
</script>`;

/** Stands before the orchestrator as a proxy does, and breaks the first streams after a few events. */
async function startSite(target: string, breaks: number) {
  let broken = 0;
  let runId = '';
  let tell: (heard: Heard) => void = () => {};
  const heard = new Promise<Heard>((resolve) => {
    tell = resolve;
  });
  const pass = (incoming: IncomingMessage, response: ServerResponse): void => {
    const { host: _, ...headers } = incoming.headers;
    const onward = request(`${target}${incoming.url}`, { headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      let events = 0;
      answer.on('data', (chunk: Buffer) => {
        response.write(chunk);
        events += chunk.toString().split('\nid: ').length;
        if (events < 8 || broken >= breaks) return;
        broken += 1;
        response.destroy();
        onward.destroy();
      });
      answer.on('end', () => response.end());
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    onward.end();
  };
  const server = createServer((incoming, response) => {
    if (incoming.url === '/') response.writeHead(200, { 'content-type': 'text/html' }).end(page(runId));
    else if (incoming.url === '/heard')
      json(incoming).then(
        (body) => tell(body as Heard),
        () => {},
      );
    else pass(incoming, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    heard,
    show(id: string) {
      runId = id;
    },
    broken: () => broken,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Debian's `chromium` is a script that names its own folder; where it was only unpacked the program is started itself. */
async function browserOf({
  command,
  env,
}: Program): Promise<{ readonly command: string; readonly env: NodeJS.ProcessEnv }> {
  const inside = join(dirname(command), '..', 'lib', 'chromium', 'chromium');
  const found = await stat(inside).catch(() => undefined);
  return { command: found ? inside : command, env };
}

// Chromium is 100 MB to fetch: on demand only, with BROWSER=1.
test.skipIf(process.env.BROWSER === undefined)(
  'EventSource of a real browser hears every line once, though its connections break',
  async (context) => {
    const found = await Promise.race([
      programOf('chromium').catch((error: Error) => error),
      new Promise<Error>((resolve) => setTimeout(resolve, 90_000, new Error('fetching Chromium took too long'))),
    ]);
    // A browser is not on every machine, and not every machine can fetch Debian's.
    if (found instanceof Error) return context.skip(`no Chromium: ${found.message}`);
    const { command, env } = await browserOf(found);
    await using orchestrator = await startTestOrchestrator();
    await using profile = await temporaryDirectory('browser');
    await using site = await startSite(orchestrator.url, 5);
    const agent = {
      type: 'command' as const,
      command: 'for i in $(seq 1 80); do echo line $i; sleep 0.05; done; echo x > x',
    };
    const run = await orchestrator.client.submit({ repo: orchestrator.origin, agent });
    site.show(run.id);
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run'];
    const browser = spawn(command, [...flags, `--user-data-dir=${profile.path}`, site.url], {
      env,
      stdio: 'ignore',
      detached: true,
    });
    const exit = once(browser, 'exit');
    try {
      const ended = exit.then(() => Promise.reject(new Error('Chromium ended by itself.')));
      const heard = await Promise.race([site.heard, ended]);
      expect(heard.lines.length).toBeGreaterThanOrEqual(80);
      expect(heard.lines).toEqual(heard.lines.map((_, index) => index + 1));
      expect(heard.states.filter((state) => state === 'succeeded')).toHaveLength(1);
      expect(site.broken()).toBe(5);
      expect(heard.opens).toBeGreaterThanOrEqual(6);
    } finally {
      process.kill(-(browser.pid ?? 0), 'SIGKILL');
      await exit;
    }
  },
  240_000,
);
