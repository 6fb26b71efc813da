import { join } from 'node:path';
import { createClient } from './client/client.ts';
import type { RunEvent } from './client/events.ts';
import { readConfig } from './config.ts';
import { readArguments } from './demo/arguments.ts';
import { headOf, makeOrigin } from './demo/origin.ts';
import { findServer } from './demo/server.ts';
import type { RunView } from './http/view.ts';

const isTerminal = process.stdout.isTTY === true;
const paint = (code: number, text: string): string => (isTerminal ? `\u001b[${code}m${text}\u001b[0m` : text);

/** Puts one run through the orchestrator and shows it live. */
async function demo(): Promise<void> {
  const options = readArguments(process.argv.slice(2));
  const { dataDirectory } = readConfig(process.env);
  say(`Repository  ${options.repo}`);
  const origin = await makeOrigin(options.repo, join(dataDirectory, 'demo'));
  say(`Origin      ${origin} (bare, made for the demo; the repository itself is only read)`);
  await using server = await findServer();
  say(`Server      ${server.url}${server.own ? ' (none was running: started for the demo)' : ''}`);

  const client = createClient({ url: server.url });
  const agent = { type: 'command', command: options.command } as const;
  const run = await client.submit({ repo: origin, ref: options.ref ?? (await headOf(origin)), agent });
  say(`Run         ${run.id}\n`);
  const interrupt = (): void => void client.cancel(run.id).catch(() => undefined);
  process.once('SIGINT', interrupt);
  for await (const event of client.events(run.id, {
    onReconnect: () => say('… the server is away; connecting again'),
  })) {
    show(event);
  }
  process.off('SIGINT', interrupt);
  summarize(await client.get(run.id), origin);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

function show(event: RunEvent): void {
  if (event.kind === 'state') {
    const { state, type } = event.data;
    say(paint(36, `● ${state}${type === 'state' ? '' : ` (${type.replaceAll('_', ' ')})`}`));
    return;
  }
  for (const { seq, stream, text } of event.data.lines) {
    const color = { stdout: 0, stderr: 33, system: 90 }[stream];
    say(`${paint(90, `${seq}`.padStart(5))}  ${paint(color, text)}`);
  }
}

function summarize(run: RunView, origin: string): void {
  say('');
  if (run.state !== 'succeeded') {
    say(`${paint(31, run.state)}  ${run.error?.message ?? ''}`);
    process.exitCode = 1;
    return;
  }
  const stat = run.diffStat;
  say(`${paint(32, 'succeeded')} in ${seconds(run)} s`);
  say(`branch  ${run.branch ?? 'none: the agent changed nothing'}`);
  if (run.commitSha) say(`commit  ${run.commitSha}`);
  if (stat)
    say(
      `diff    ${stat.filesChanged} ${stat.filesChanged === 1 ? 'file' : 'files'} changed, ${stat.insertions} insertions(+), ${stat.deletions} deletions(-)`,
    );
  if (run.branch) say(`\nSee it:  git -C ${origin} show ${run.branch}`);
}

function seconds(run: RunView): string {
  return ((Date.parse(run.finishedAt ?? run.createdAt) - Date.parse(run.createdAt)) / 1000).toFixed(1);
}

try {
  await demo();
} catch (error) {
  const { code, message, stack } = error as { code?: unknown; message?: string; stack?: string };
  process.stderr.write(`demo: ${typeof code === 'string' ? message : (stack ?? String(error))}\n`);
  process.exitCode = 1;
}
