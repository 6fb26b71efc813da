import { type RedisServer, startRedis, waitFor } from '@millrace/test-support';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRelay } from '../src/relay/open.ts';
import type { Hint, Relay } from '../src/relay/relay.ts';

let redis: RedisServer;
beforeAll(async () => {
  redis = await startRedis({ own: true });
});
afterAll(() => redis[Symbol.asyncDispose]());

function hear(relay: Relay): { readonly hints: Hint[]; readonly stop: () => void } {
  const hints: Hint[] = [];
  return { hints, stop: relay.subscribe((hint) => hints.push(hint)) };
}

describe.each(['memory:', 'redis'])('the relay %s', (name) => {
  const open = (errors: unknown[] = []) =>
    openRelay(name === 'redis' ? redis.url : name, (error) => errors.push(error));

  test('carries hints to every listener until it stops listening', async () => {
    await using relay = await open();
    const [one, two] = [hear(relay), hear(relay)];
    relay.publish({ kind: 'run', runId: 'a' });
    await waitFor(() => one.hints.length > 0 && two.hints.length > 0);
    expect(one.hints[0]).toEqual({ kind: 'run', runId: 'a' });
    two.stop();
    const before = two.hints.length;
    relay.publish({ kind: 'cancel', runId: 'b' });
    await waitFor(() => one.hints.some((hint) => hint.kind === 'cancel'));
    expect(two.hints.filter((hint) => hint.kind === 'cancel')).toEqual([]);
    expect(before).toBeGreaterThan(0);
  });
});

test('redis carries hints to other processes, also after it was away', async () => {
  const errors: unknown[] = [];
  await using sender = await openRelay(redis.url, (error) => errors.push(error));
  await using receiver = await openRelay(redis.url, (error) => errors.push(error));
  const { hints } = hear(receiver);
  const arrives = (runId: string) =>
    waitFor(
      () => {
        sender.publish({ kind: 'run', runId });
        return hints.some((hint) => hint.runId === runId);
      },
      { timeout: 20_000, interval: 100 },
    );
  await arrives('before');
  await redis.restart();
  await arrives('after');
});

test('redis being away throws at nobody', async () => {
  const errors: unknown[] = [];
  await using relay = await openRelay('redis://127.0.0.1:1', (error) => errors.push(error));
  const { hints } = hear(relay);
  relay.publish({ kind: 'run', runId: 'local' });
  expect(hints).toEqual([{ kind: 'run', runId: 'local' }]);
  await waitFor(() => errors.length > 0);
});
