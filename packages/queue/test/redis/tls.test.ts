import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort, type RedisServer, startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { systemClock } from '../../src/clock.ts';
import { StoreUnavailableError } from '../../src/index.ts';
import { redisAdapter } from '../../src/redis.ts';
import { openMill } from '../faults/mill.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-tls-'));
const key = join(folder, 'key.pem');
const cert = join(folder, 'cert.pem');
let redis: RedisServer;
let url: string;

/** A certificate for localhost that nobody but this test trusts. */
function makeCertificate(): void {
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'];
  const make = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
  execFileSync('openssl', [...make, '-keyout', key, '-out', cert, ...subject], { stdio: 'ignore' });
}

beforeAll(async () => {
  makeCertificate();
  const port = await freePort();
  const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert];
  redis = await startRedis({
    own: true,
    args: ['--tls-port', String(port), '--tls-auth-clients', 'no', ...files],
  });
  url = `rediss://localhost:${port}`;
});
afterAll(async () => {
  await redis.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('jobs, hand-offs and the heartbeat thread go over TLS', async () => {
  const client = new Redis(url, { tls: { ca: readFileSync(cert, 'utf8') }, maxRetriesPerRequest: 0 });
  client.on('error', () => undefined);
  await using mill = openMill(redisAdapter({ client, onWarning: () => undefined }));
  const worker = mill.startWorker({
    handler: async ({ payload: { n } }) => {
      // Longer than the lease: only the thread can renew it.
      if (n === 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2_500);
    },
  });
  await mill.untilDone(await mill.enqueueAll(20));
  expect(mill.ledger.stale).toBe(0);
  expect([...mill.ledger.runs.values()].every((times) => times === 1)).toBe(true);
  expect(worker.health().status).toBe('ok');
  client.disconnect();
});

test('a certificate that nobody vouches for is refused', async () => {
  const adapter = redisAdapter({ url, onWarning: () => undefined });
  const opening = adapter.open({ queue: 'untrusted', clock: systemClock, random: Math.random });
  await expect(opening).rejects.toThrow(StoreUnavailableError);
  await adapter.close();
});
