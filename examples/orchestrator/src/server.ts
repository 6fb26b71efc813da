import { setTimeout as sleep } from 'node:timers/promises';
import type { CiDatabase } from './ci/tables.ts';
import { receiveWebhook } from './ci/webhook.ts';
import { type Closing, createClosing } from './closing.ts';
import type { Config } from './config.ts';
import { openReplica, type Read } from './db/replica.ts';
import type { Database } from './db/schema.ts';
import { openGateway } from './gateway/open.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { watchParts } from './observe/parts.ts';
import { traceRequests } from './observe/requests.ts';
import { createRunObserver } from './observe/runs.ts';
import { countDeliveries } from './observe/webhooks.ts';
import { openObservability, openParts, type Parts } from './parts.ts';
import { startApi } from './roles/api.ts';
import { startCi } from './roles/ci.ts';
import { startJanitor } from './roles/janitor.ts';
import type { Role } from './roles/role.ts';
import { startWorker } from './roles/worker.ts';
import { createOutboxRelay, type Dispatch, type DispatchAnswer } from './runs/outbox.ts';
import { enqueueDispatch } from './runs/queue.ts';
import { openSubmissions } from './runs/submissions.ts';

/** A running orchestrator: the roles of its configuration, in this process. */
export interface Orchestrator extends AsyncDisposable {
  /** Where its HTTP server listens. */
  readonly url: string;
  /** Drains: readiness falls, nothing new begins, what runs gets its time, then everything is closed. */
  close(): Promise<void>;
}

/**
 * Starts an orchestrator.
 * @throws {ConfigError} when a variable of the environment names something that cannot be used.
 */
export async function startOrchestrator(config: Config): Promise<Orchestrator> {
  const observability = openObservability(config);
  const closing = createClosing((name, error) => observability.log.error({ err: error, part: name }, 'closing failed'));
  closing.add('observability', observability.close);
  try {
    const parts = await openParts(config, closing, observability);
    const url = await startRoles(parts, closing);
    watchParts(parts);
    const close = async (): Promise<void> => {
      observability.health.drain();
      if (config.drainDelay > 0) await sleep(config.drainDelay);
      await closing.run();
    };
    return { url, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await closing.run();
    throw error;
  }
}

/**
 * Starts the HTTP server, then the roles. Every process serves metrics and health, only the role `api` the API. Workers
 * close first and HTTP last, because agents call models through it until they end.
 */
async function startRoles(parts: Parts, closing: Closing): Promise<string> {
  const { config, database, relay, queue, observability } = parts;
  const { db } = database;
  const { pollInterval } = config;
  const onError = (error: unknown): void => observability.log.error({ err: error }, 'background work failed');
  const plays = (role: Config['roles'][number]): boolean => config.roles.includes(role);
  const start = (role: Role): void => closing.add(role.name, role.stop);

  let url = '';
  const gateway = openGateway({
    config,
    db,
    limits: parts.limits,
    url: () => config.gatewayUrl ?? url,
    instrumentation: observability.rateLimit,
    onCost: (provider, model, cost) => observability.runs.cost.add(cost / 1e6, provider, model),
    onError,
  });
  const api = plays('api') ? await openApi(parts, closing, onError) : undefined;
  const app = createApp({
    config,
    ...(api && { api: api.context, webhook: webhookOf(parts) }),
    ...(plays('worker') && { gateway: gateway.handle }),
    operations: observability.fetchHandler,
    onInternalError: onError,
  });
  const http = await listen(traceRequests(observability, app.fetch), config.host, config.port);
  url = http.url;
  closing.add('http', () => http.close(config.drainTimeout));
  if (api) start(api);
  // One by one, so that each has a span of its own run; the queue sends them together all the same.
  const enqueueOne = (dispatch: Dispatch): Promise<DispatchAnswer> =>
    observability.context.run({ runId: dispatch.runId, tenant: dispatch.tenantId }, () =>
      enqueueDispatch(queue, dispatch),
    );
  const enqueue = (dispatches: readonly Dispatch[]) => Promise.all(dispatches.map(enqueueOne));
  const outbox = createOutboxRelay({ db, relay, pollInterval, enqueue, onError });
  closing.add('outbox', outbox.stop);
  if (plays('janitor')) start(startJanitor({ ...parts, db, retention: config.retention, onError }));
  if (plays('ci')) start(startCi({ ...parts, db, onError }));
  if (plays('worker')) {
    const agentPrograms = config.agentsDirectory;
    const onState = createRunObserver(observability);
    start(await startWorker({ ...parts, db, gateway, agentPrograms, onState, onError }));
  }
  return url;
}

function webhookOf({ config, database, relay, observability }: Parts): (request: Request) => Promise<Response> {
  const db = database.db.withTables<Omit<CiDatabase, keyof Database>>();
  return countDeliveries(observability, (request, onNew) => {
    const onStored = (): void => {
      onNew();
      relay.publish({ kind: 'webhook', runId: '' });
    };
    return receiveWebhook(request, { db, secrets: config.webhookSecrets, onStored });
  });
}

async function openApi(
  parts: Parts,
  closing: Closing,
  onError: (error: unknown) => void,
): Promise<ReturnType<typeof startApi>> {
  const { config, database, queue, relay, objects, workspaces, observability } = parts;
  const submissions = await openSubmissions(database, observability.idempotency);
  closing.add('submissions', submissions.close);
  const resolveRef = (repo: string, ref: string, signal: AbortSignal) => workspaces.resolve({ repo, ref, signal });
  const { db } = database;
  const read = openRead(parts, closing);
  return startApi({ config, db, read, queue, relay, objects, submissions, resolveRef, observability, onError });
}

function openRead({ config, database: { db }, observability: { log } }: Parts, closing: Closing): Read {
  if (!config.replica) return (query) => query(db);
  const onChange = (usable: boolean): void => log.info({ usable }, 'the replica of the database is read, or not');
  const replica = openReplica({ ...config.replica, poolSize: config.databasePool, primary: db, onChange });
  closing.add('replica', replica.close);
  return replica.read;
}
