import { createHmac } from 'node:crypto';
import pg from 'pg';
import { atRate, timed } from './load.ts';
import { type Bench, percentile, type Result, rounded } from './result.ts';
import { ours, startProgram, startStores } from './systems.ts';

const secret = 'the-secret-of-the-webhook';
/** What a busy installation sends, and a storm: more than two cores that also run the sender can take. */
const rates = { 'webhook.p99': 200, 'webhook.storm.p99': 1000 } as const;
/** A check run of GitHub with its repository and sender has about so many bytes. */
const payloadBytes = 12_000;

/** Deliveries at an even rate on one API process, while the role `ci` of another one makes check states of them. */
export const webhooks: Bench = {
  metrics: Object.keys(rates),
  async run({ quick, note }) {
    const results: Result[] = [];
    for (const [metric, perSecond] of Object.entries(rates)) {
      const { p99, words } = await deliver(perSecond, (quick ? 3 : 15) * perSecond);
      note(`${metric}: ${perSecond}/s, ${words}`);
      results.push({ metric, ours: p99, peer: null, peerName: null, unit: 'ms', ratio: null });
    }
    return results;
  },
};

async function deliver(perSecond: number, total: number): Promise<{ readonly p99: number; readonly words: string }> {
  await using stores = await startStores();
  const env = { ...stores.env, GITHUB_WEBHOOK_SECRET: secret };
  const [api, ci] = [
    await startProgram(ours, [], { ...env, ROLES: 'api' }),
    await startProgram(ours, [], { ...env, ROLES: 'ci' }),
  ];
  const statuses = new Map<number, number>();
  const times: number[] = [];
  const deliverOne = async (index: number): Promise<void> => {
    const status = await send(`${api.url}/webhooks/github`, index);
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
  };
  await atRate(total, perSecond, async (index) => void times.push(await timed(() => deliverOne(index))));
  const stored = await countOf(stores.databaseUrl);
  await Promise.all([api.stop(), ci.stop('SIGKILL')]);
  const median = rounded(percentile(times, 0.5));
  return {
    p99: rounded(percentile(times, 0.99)),
    words: `p50 ${median} ms; ${stored} of ${total} stored; ${[...statuses]}`,
  };
}

async function send(url: string, index: number): Promise<number> {
  const body = payload(index);
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = {
    'x-github-event': 'check_run',
    'x-github-delivery': `delivery-${index}`,
    'x-hub-signature-256': `sha256=${signature}`,
  };
  const response = await fetch(url, { method: 'POST', body, headers });
  await response.arrayBuffer();
  return response.status;
}

function payload(index: number): string {
  const check_run = {
    ...{ id: index, name: 'test', html_url: null, check_suite: { id: 7 }, status: 'in_progress', conclusion: null },
    ...{ head_sha: (index % 500).toString(16).padStart(40, '0'), started_at: '2026-01-01T00:00:00Z' },
    output: { text: 'x'.repeat(payloadBytes) },
  };
  return JSON.stringify({ action: 'created', repository: { id: 1 }, check_run });
}

async function countOf(databaseUrl: string): Promise<number> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  const { rows } = await client.query<{ count: number }>('SELECT count(*)::int AS count FROM webhook_deliveries');
  await client.end();
  return rows[0]?.count ?? 0;
}
