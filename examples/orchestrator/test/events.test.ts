import { waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RunEvent } from '../src/client/events.ts';
import { parseCursor } from '../src/events/cursor.ts';
import { startTestOrchestrator, type TestOrchestrator } from './support/orchestrator.ts';

let orchestrator: TestOrchestrator;
let finishedRun: string;
beforeAll(async () => {
  orchestrator = await startTestOrchestrator();
  const { client, origin } = orchestrator;
  const command = 'for i in $(seq 1 40); do echo line $i; sleep 0.02; done; echo x > x';
  const run = await client.submit({ repo: origin, agent: { type: 'command', command } });
  await waitFor(async () => (await client.get(run.id)).state === 'succeeded', { timeout: 30_000 });
  finishedRun = run.id;
});
afterAll(() => orchestrator[Symbol.asyncDispose]());

async function all(id: string, after?: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of orchestrator.client.events(id, after === undefined ? {} : { after })) events.push(event);
  return events;
}

const flatten = (events: readonly RunEvent[]): string[] =>
  events.flatMap((event) =>
    event.kind === 'state' ? [`event ${event.data.seq}`] : event.data.lines.map((line) => `line ${line.seq}`),
  );

test('a client resumes after any event: nothing is missing, nothing comes twice', async () => {
  const events = await all(finishedRun);
  const whole = flatten(events);
  expect(new Set(whole).size).toBe(whole.length);
  for (const [index, event] of events.entries()) {
    const rest = flatten(await all(finishedRun, event.id));
    expect([...flatten(events.slice(0, index + 1)), ...rest].sort()).toEqual([...whole].sort());
  }
});

test('a client may resume in the middle of stored lines', async () => {
  const rest = flatten(await all(finishedRun, '3-17'));
  expect(rest.filter((entry) => entry.startsWith('line'))[0]).toBe('line 18');
});

test('who comes back after the end is told that there is nothing more', async () => {
  const last = (await all(finishedRun)).at(-1)?.id ?? '';
  const url = `${orchestrator.url}/v1/runs/${finishedRun}/events`;
  const response = await fetch(url, { headers: { 'last-event-id': last } });
  expect(response.status).toBe(204);
});

test.each(['nonsense', '-1-2', '1', '1-2-3', '99999999999-1'])('the id %s is refused', async (id) => {
  const url = `${orchestrator.url}/v1/runs/${finishedRun}/events`;
  const response = await fetch(url, { headers: { 'last-event-id': id } });
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ code: 'ERR_INVALID_CURSOR' });
});

test('a client that goes away frees its place', async () => {
  const { client, origin } = orchestrator;
  const run = await client.submit({ repo: origin, agent: { type: 'command', command: 'echo begun; sleep 300' } });
  const leave = new AbortController();
  const following = (async () => {
    for await (const event of client.events(run.id, { signal: leave.signal })) {
      if (event.kind === 'log' && event.data.lines.some((line) => line.text === 'begun')) leave.abort();
    }
  })();
  await expect(following).rejects.toThrow();
  await client.cancel(run.id);
  await waitFor(async () => (await client.get(run.id)).state === 'cancelled');
});

test('connections that break all the time still give every line once', async () => {
  const { client, origin, url } = orchestrator;
  const command = 'for i in $(seq 1 60); do echo line $i; sleep 0.02; done; echo x > x';
  const run = await client.submit({ repo: origin, agent: { type: 'command', command } });
  const lines: number[] = [];
  let after = '';
  for (;;) {
    const leave = new AbortController();
    const headers = after ? { 'last-event-id': after } : {};
    const response = await fetch(`${url}/v1/runs/${run.id}/events`, { headers, signal: leave.signal });
    if (response.status === 204) break;
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    while (reader && !/\n\nid:.*\n\n/s.test(text)) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    leave.abort();
    for (const frame of text.split('\n\n').slice(0, -1)) {
      const id = /^id: (.*)$/m.exec(frame)?.[1];
      const data = /^data: (.*)$/m.exec(frame)?.[1];
      if (!id || !data || !parseCursor(id)) continue;
      after = id;
      const { lines: some = [] } = JSON.parse(data) as { lines?: { seq: number }[] };
      lines.push(...some.map((line) => line.seq));
    }
  }
  expect(lines.length).toBeGreaterThanOrEqual(60);
  expect(lines).toEqual(lines.map((_, index) => index + 1));
});
