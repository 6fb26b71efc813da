import { type Closing, createClosing } from './closing.ts';
import type { Config } from './config.ts';
import type { RunRow } from './db/schema.ts';
import { createApp } from './http/app.ts';
import { listen } from './http/listen.ts';
import { openObservability, openParts, type Parts } from './parts.ts';
import { startApi } from './roles/api.ts';
import { startJanitor } from './roles/janitor.ts';
import { startWorker } from './roles/worker.ts';
import { createOutboxRelay } from './runs/outbox.ts';
import { enqueueDispatches } from './runs/queue.ts';
import type { RunState } from './runs/states.ts';
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
  try {
    const parts = await openParts(config, closing, observability);
    const url = await startRoles(parts, closing);
    const close = (): Promise<void> => closing.run();
    return { url, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await closing.run();
    throw error;
  }
}

/** Starts the roles, then the HTTP server; every process serves metrics and health, only the role `api` the API. */
async function startRoles(parts: Parts, closing: Closing): Promise<string> {
  const { config, database, relay, queue, workspaces, observability, scratch } = parts;
  const { db } = database;
  const onError = (error: unknown): void => observability.log.error({ err: error }, 'background work failed');
  const plays = (role: Config['roles'][number]): boolean => config.roles.includes(role);

  const outbox = createOutboxRelay({
    db,
    relay,
    pollInterval: config.pollInterval,
    enqueue: (dispatches) => enqueueDispatches(queue, dispatches),
    onError,
  });
  closing.add('outbox', outbox.stop);
  if (plays('janitor')) {
    const janitor = startJanitor({ db, queue, workspaces, scratch, onError });
    closing.add(janitor.name, janitor.stop);
  }
  if (plays('worker')) {
    const worker = await startWorker({ ...parts, db, onState: logState(observability), onError });
    closing.add(worker.name, worker.stop);
  }
  const api = plays('api') ? await openApi(parts, onError) : undefined;
  const app = createApp({
    config,
    ...(api && { api: api.context }),
    operations: observability.fetchHandler,
    onInternalError: onError,
  });
  const http = await listen(app.fetch, config.host, config.port);
  closing.add('http', () => http.close(config.drainTimeout));
  if (api) closing.add(api.name, api.stop);
  return http.url;
}

async function openApi(parts: Parts, onError: (error: unknown) => void): Promise<ReturnType<typeof startApi>> {
  const { config, database, relay, objects, workspaces } = parts;
  const submissions = await openSubmissions(database, parts.observability.idempotency);
  const resolveRef = (repo: string, ref: string, signal: AbortSignal) => workspaces.resolve({ repo, ref, signal });
  return startApi({ config, db: database.db, relay, objects, submissions, resolveRef, onError });
}

/** One line per step of a run, with its id: all of a run is found by one search. */
function logState({ log }: Parts['observability']): (run: RunRow, from: RunState) => void {
  return (run, from) => {
    const { id, tenant_id, state, attempt, error } = run;
    log.info({ runId: id, tenant: tenant_id, attempt, from, state, ...(error && { error }) }, 'run moved');
  };
}
