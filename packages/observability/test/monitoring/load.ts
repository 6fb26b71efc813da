import { createQueue, defineJob } from '@millrace/queue';
import type { Observability } from '../../src/index.ts';

const schema = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ value }) } } as const;

/** A service under load: a real queue that works, and every other hook called as its package calls it, again and again until it stops. */
export async function underLoad(obs: Observability): Promise<AsyncDisposable> {
  const queue = createQueue({ url: 'memory:', jobs: [defineJob('work', schema)], instrumentation: obs.queue });
  obs.watchQueue(queue);
  obs.process.watchPool('main', { totalCount: 3, idleCount: 1, waitingCount: 0 });
  obs.process.watchDisk('root', '/');
  obs.health.check('example', () => {});
  const worker = queue.work({ work: async () => {} }, { concurrency: 5 });
  let round = 0;
  const timer = setInterval(() => {
    round += 1;
    for (let tenant = 0; tenant < 3; tenant += 1) void queue.tryEnqueue('work', { round }, { tenant: `t${tenant}` });
    queueTrouble(obs);
    externalCalls(obs);
    workspaces(obs);
    idempotency(obs);
    runs(obs);
    void obs.health.report('ready');
  }, 50);
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      await worker.drain();
      await queue.close();
    },
  };
}

function queueTrouble({ queue }: Observability): void {
  const job = { id: 'j', name: 'work', tenant: 't0' };
  queue.onRejected({ queue: 'default', jobs: [{ ...job, scope: 'tenant', limit: 'count' }] });
  queue.onSwept({ queue: 'default', promoted: 1, expired: [{ ...job, to: 'ready' }], forgotten: 1 });
  queue.onLeaseLost({ queue: 'default', jobs: [job], reason: 'session' });
  queue.onSettled({
    queue: 'default',
    jobs: [{ ...job, kind: 'retry', outcome: 'applied', runMs: 5, errorCode: 'ERR_TIMEOUT' }],
  });
}

function externalCalls({ rateLimit }: Observability): void {
  const call = { name: 'llm', key: 'k', tenant: 't0', run: 'r', model: 'm', attempt: 1 };
  const headers = new Headers({
    'anthropic-ratelimit-requests-remaining': '40',
    'anthropic-ratelimit-requests-limit': '50',
  });
  void rateLimit.aroundCall(call, async () => new Response('', { headers }));
  void rateLimit.aroundCall(call, async () => new Response('', { status: 429 }));
  void rateLimit.aroundCall(call, async () => new Response('', { status: 503 }));
  rateLimit.onAdmitted({ policy: 'tokens', waitMs: [0, 20] });
  rateLimit.onRefused({ policy: 'tokens', tenant: 't0', code: 'ERR_RATE_LIMITED', reason: 'maxWait' });
  rateLimit.onThrottled({ policy: 'tokens', key: 'k', pauseMs: 100, rateFactor: 0.8 });
  rateLimit.onRetry({ attempt: 1, delayMs: 10, error: { code: 'ECONNRESET' } });
  rateLimit.onCircuit({ policy: 'breaker', key: 'k', state: 'half-open', remote: false });
  rateLimit.onBulkhead({ policy: 'bulkhead', key: 'k', held: 3, waiting: 1, limit: 4 });
  rateLimit.onSettled({ model: 'm', reserved: { tokens: 20 }, actual: { tokens: 15 } });
  rateLimit.onBudget({ scope: 'org', action: 'settle', amount: 100, spent: 5_000, held: 0, cap: 10_000_000 });
  rateLimit.onCache({ policy: 'cache', outcome: 'hit' });
}

function workspaces({ workspace }: Observability): void {
  const facts = { repo: 'https://host/a', ref: 'main', tenant: 't0', leaseId: 'l' };
  workspace.onCheckedOut({ ...facts, strategy: 'alternates', warm: true, durationMs: 40 });
  workspace.onCheckoutFailed({ ...facts, code: 'ERR_WORKSPACE_AUTH', durationMs: 4 });
  workspace.onFetched({ repo: facts.repo, kind: 'fetch', durationMs: 9, shared: false, code: undefined });
  workspace.onEvicted({ kind: 'template', bytes: 1_000 });
  workspace.onGauges({ workspaces: 1, gitProcesses: 2, gitWaiting: 0, poolReady: 1 });
}

function idempotency({ idempotency: hooks }: Observability): void {
  const facts = { store: 'memory', tenant: 't0', operation: 'submit' };
  hooks.onOutcome({ ...facts, outcome: 'replayed', durationMs: 2 });
  hooks.onTakeover({ ...facts, fence: 2, attempt: 2 });
  hooks.onLeaseLost({ ...facts, fence: 1, attempt: 1 });
  hooks.onStore({ store: 'memory', available: true, error: undefined });
}

function runs({ runs: metrics }: Observability): void {
  metrics.start.observe(2, 'claude');
  metrics.start.exemplify(2, 'c'.repeat(32), 'claude');
  metrics.phase.observe(1, 'clone');
  metrics.finished.add(1, 'succeeded');
  metrics.active.set(2, 'running');
  metrics.ciUpdates.add(1, 'webhook');
  metrics.sseClients.set(4);
  metrics.webhookDelay.observe(2);
  metrics.ciWait.observe(60, 'webhook');
  metrics.relayLag.observe(0.01);
  metrics.cost.add(0.01, 'anthropic', 'm');
}
