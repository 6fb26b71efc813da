import { type NatsServer, type RedisServer, startNats, startProxy, startRedis, waitFor } from '@millrace/test-support';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openRelay } from '../src/relay/open.ts';
import type { Hint, Relay } from '../src/relay/relay.ts';

let redis: RedisServer;
let nats: NatsServer;
beforeAll(async () => {
  [redis, nats] = await Promise.all([startRedis({ own: true }), startNats()]);
});
afterAll(async () => {
  await Promise.all([redis.stop(), nats.stop()]);
});
const urlOf = (name: string): string => ({ redis, nats })[name]?.url ?? name;

function hear(relay: Relay): { readonly hints: Hint[]; readonly stop: () => void } {
  const hints: Hint[] = [];
  return { hints, stop: relay.subscribe(['run', 'cancel'], (hint) => hints.push(hint)) };
}

describe.each(['memory:', 'redis', 'nats'])('the relay %s', (name) => {
  const open = (errors: unknown[] = []) => openRelay(urlOf(name), (error) => errors.push(error));

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

test('redis sends a process only the kinds of hints that it listens to', async () => {
  await using relay = await openRelay(redis.url, () => {});
  const heard: Hint[] = [];
  relay.subscribe(['drain'], (hint) => heard.push(hint));
  const client = new Redis(redis.url);
  const subscribersOf = (kind: string) => client.pubsub('NUMSUB', `millrace:hints:${kind}`);
  await waitFor(async () => (await subscribersOf('drain'))[1] === 1);
  expect(await subscribersOf('run')).toEqual(['millrace:hints:run', 0]);
  relay.publish({ kind: 'run', runId: 'a' });
  relay.publish({ kind: 'drain', runId: 'b' });
  expect(heard).toEqual([{ kind: 'drain', runId: 'b' }]);
  client.disconnect();
});

describe.each(['redis', 'nats'])('%s', (name) => {
  test('carries hints to other processes, also after it was away', async () => {
    const errors: unknown[] = [];
    await using sender = await openRelay(urlOf(name), (error) => errors.push(error));
    await using receiver = await openRelay(urlOf(name), (error) => errors.push(error));
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
    await (name === 'redis' ? redis : nats).restart();
    await arrives('after');
  });

  test('being away throws at nobody', async () => {
    const errors: unknown[] = [];
    await using relay = await openRelay(`${name}://127.0.0.1:1`, (error) => errors.push(error));
    const { hints } = hear(relay);
    relay.publish({ kind: 'run', runId: 'local' });
    expect(hints).toEqual([{ kind: 'run', runId: 'local' }]);
    await waitFor(() => errors.length > 0);
  });
});

test('nats tells a process that lost its connection what it missed', async () => {
  await using link = await startProxy({ target: nats.url });
  await using sender = await openRelay(nats.url, () => {});
  await using receiver = await openRelay(link.url, () => {});
  const { hints } = hear(receiver);
  await waitFor(() => {
    sender.publish({ kind: 'run', runId: 'before' });
    return hints.length > 0;
  });
  link.cut();
  sender.publish({ kind: 'cancel', runId: 'missed' });
  await waitFor(() => link.connections() === 0);
  link.restore();
  await waitFor(() => hints.some((hint) => hint.runId === 'missed'), { timeout: 60_000 });
}, 90_000);

test('nats tells what was missed also to a process whose consumer the server forgot', async () => {
  await using link = await startProxy({ target: nats.url });
  await using sender = await openRelay(nats.url, () => {});
  await using receiver = await openRelay(link.url, () => {});
  const { hints } = hear(receiver);
  await waitFor(() => {
    sender.publish({ kind: 'run', runId: 'before' });
    return hints.length > 0;
  });
  link.cut();
  await forgetConsumers();
  sender.publish({ kind: 'cancel', runId: 'missed' });
  await waitFor(() => link.connections() === 0);
  link.restore();
  await waitFor(() => hints.some((hint) => hint.runId === 'missed'), { timeout: 60_000 });
  expect(hints.filter((hint) => hint.runId === 'missed')).toHaveLength(1);
}, 90_000);

async function forgetConsumers(): Promise<void> {
  const connection = await connect({ servers: new URL(nats.url).host });
  const { consumers } = await jetstreamManager(connection);
  for await (const { name } of consumers.list('millrace-hints')) await consumers.delete('millrace-hints', name);
  await connection.close();
}
