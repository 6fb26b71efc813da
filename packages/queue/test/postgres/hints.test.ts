import { waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { createHints, type Hints } from '../../src/adapters/postgres/hints.ts';

/** Hints over a pool that notes what is sent. */
function create(): { readonly hints: Hints; readonly sent: unknown[] } {
  const sent: unknown[] = [];
  const pool = {
    query: async (_text: string, values?: unknown[]) => {
      sent.push(values?.[1]);
      return { rows: [] };
    },
  };
  return { hints: createHints({ pool, channel: 'c', listen: false }), sent };
}

test('a process without workers tells the others at once', () => {
  const { hints, sent } = create();
  hints.tell('ready');
  expect(sent).toEqual(['ready']);
  hints.close();
});

test('workers of this process hear first, the others soon', async () => {
  const { hints, sent } = create();
  const heard: string[] = [];
  hints.watch((hint) => heard.push(hint));
  hints.tell('ready');
  expect(heard).toEqual(['ready']);
  expect(sent).toEqual([]);
  await waitFor(() => sent.length === 1, { what: 'the notification' });
  hints.close();
});

test('what was held back is told when the queue is closed', () => {
  const { hints, sent } = create();
  hints.watch(() => undefined);
  hints.tell('ready');
  hints.close();
  expect(sent).toEqual(['ready']);
});

test('many hints in a row are few notifications, and the last is not lost', async () => {
  const { hints, sent } = create();
  for (let n = 0; n < 100; n += 1) hints.tell('ready');
  await waitFor(() => sent.length === 2, { what: 'the second notification' });
  hints.close();
});
