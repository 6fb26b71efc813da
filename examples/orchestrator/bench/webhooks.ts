import { createHmac } from 'node:crypto';
import pg from 'pg';
import { atRate, timed } from './load.ts';
import { type Bench, percentile, rounded } from './result.ts';
import { ours, startProgram, startStores } from './systems.ts';

const secret = 'the-secret-of-the-webhook';
const perSecond = 1000;
/** A check run of GitHub with its repository and sender has about so many bytes. */
const payloadBytes = 12_000;

/** Deliveries at an even rate on one API process, while the role `ci` of another one makes check states of them. */
export const webhooks: Bench = {
  metrics: ['webhook.p99'],
  async run({ quick, note }) {
    await using stores = await startStores();
    const env = { ...stores.env, GITHUB_WEBHOOK_SECRET: secret };
    const [api, ci] = [
      await startProgram(ours, [], { ...env, ROLES: 'api' }),
      await startProgram(ours, [], { ...env, ROLES: 'ci' }),
    ];
    const statuses = new Map<number, number>();
    const send = async (index: number): Promise<void> => {
      const body = payload(index);
      const signature = createHmac('sha256', secret).update(body).digest('hex');
      const headers = {
        'x-github-event': 'check_run',
        'x-github-delivery': `delivery-${index}`,
        'x-hub-signature-256': `sha256=${signature}`,
      };
      const response = await fetch(`${api.url}/webhooks/github`, { method: 'POST', body, headers });
      await response.arrayBuffer();
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
    };
    const total = (quick ? 3 : 15) * perSecond;
    const times: number[] = [];
    await atRate(total, perSecond, async (index) => void times.push(await timed(() => send(index))));
    const stored = await countOf(stores.databaseUrl);
    await Promise.all([api.stop(), ci.stop('SIGKILL')]);
    note(`webhook.p99: p50 ${rounded(percentile(times, 0.5))} ms; ${stored} of ${total} stored; ${[...statuses]}`);
    const p99 = rounded(percentile(times, 0.99));
    return [{ metric: 'webhook.p99', ours: p99, peer: null, peerName: null, unit: 'ms', ratio: null }];
  },
};

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
