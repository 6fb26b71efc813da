import ms, { type StringValue } from 'ms';
import { agentOf } from '../agents/registry.ts';
import type { AgentSpec, PullRequestWish } from '../db/schema.ts';
import { createRun, getRun, type NewRun, type RunWithRepo } from '../runs/store.ts';
import { hasRoom } from '../tenants/quota.ts';
import type { ApiContext } from './context.ts';
import { ApiError } from './problem.ts';
import type { NewRunBody } from './schemas.ts';

/** A request to run something, as it came over HTTP. */
export interface Submission {
  readonly tenantId: string;
  readonly body: NewRunBody;
  readonly key: string | undefined;
  readonly prefer: string | undefined;
  readonly traceparent: string | undefined;
}

/** Runs `create` once per key: its rows and the key are committed together. */
export interface Submissions {
  submit(request: SubmissionKey, create: CreateRun): Promise<{ readonly runId: string; readonly replayed: boolean }>;
  close(): Promise<void>;
}

export type CreateRun = (tx: Parameters<typeof createRun>[0]) => Promise<string>;

export interface SubmissionKey {
  readonly tenantId: string;
  readonly key: string;
  readonly input: unknown;
  /** Answer a duplicate like the first request instead of refusing it. */
  readonly replay: boolean;
}

/** The longest timeout that a run may ask for (milliseconds): a day. */
const maxTimeout = 86_400_000;

/** What the run will be, checked as far as can be told without storing it. */
type CheckedRun = Omit<NewRun, 'tenantId' | 'traceparent' | 'retryOf'>;

export async function submitRun(
  context: ApiContext,
  submission: Submission,
): Promise<{ readonly run: RunWithRepo; readonly replayed: boolean }> {
  const { body } = submission;
  const checked = await checkRun(context, body);
  return await storeOnce(context, submission, body, checked);
}

/** Submits the run of another one again, as a run of its own. */
export async function retryRun(
  context: ApiContext,
  submission: Omit<Submission, 'body'>,
  first: RunWithRepo,
): Promise<{ readonly run: RunWithRepo; readonly replayed: boolean }> {
  await context.preflight.check(first.repo_url, first.ref);
  const checked: CheckedRun = {
    repo: first.repo_url,
    ref: first.ref,
    agent: first.agent,
    message: first.message,
    priority: first.priority,
    timeout: Number(first.timeout_ms),
    ...(first.budget_microusd !== null && { budgetMicroUsd: Number(first.budget_microusd) }),
    ...(first.pull_request && { pullRequest: first.pull_request }),
  };
  return await storeOnce(context, submission, { retryOf: first.id }, { ...checked, retryOf: first.id });
}

async function checkRun(context: ApiContext, body: NewRunBody): Promise<CheckedRun> {
  const timeout = parseTimeout(body.timeout) ?? context.config.runTimeout;
  checkProvider(context, body);
  await context.preflight.check(body.repo, body.ref);
  return {
    repo: body.repo,
    ref: body.ref,
    agent: body.agent as AgentSpec,
    message: body.message ?? defaultMessage(body),
    priority: body.priority,
    timeout,
    ...(body.budgetMicroUsd !== undefined && { budgetMicroUsd: body.budgetMicroUsd }),
    ...(body.pullRequest && { pullRequest: body.pullRequest as PullRequestWish }),
  };
}

/** The run, its key and its place in the outbox are one commit. */
async function storeOnce(
  context: ApiContext,
  { tenantId, key, prefer, traceparent }: Omit<Submission, 'body'>,
  input: unknown,
  checked: CheckedRun & Pick<NewRun, 'retryOf'>,
): Promise<{ readonly run: RunWithRepo; readonly replayed: boolean }> {
  const request = { tenantId, key: checkKey(key), input, replay: wantsReplay(prefer) };
  const { runId, replayed } = await context.submissions.submit(request, async (tx) => {
    if (await hasRoom(tx, tenantId))
      return await createRun(tx, { tenantId, ...checked, ...(traceparent && { traceparent }) });
    const detail = 'As many runs of the tenant wait as it may have; send this again when some have begun.';
    throw new ApiError(429, 'ERR_TENANT_QUEUE_FULL', detail, { retryAfter: 5000 });
  });
  if (!replayed) context.relay.publish({ kind: 'outbox', runId });
  const run = await getRun(context.db, tenantId, runId);
  if (!run) throw new ApiError(404, 'ERR_RUN_NOT_FOUND', `The run ${runId} of this key was deleted; use a new key.`);
  return { run, replayed };
}

function checkKey(key: string | undefined): string {
  if (key === undefined || key === '') {
    const detail = 'Send an Idempotency-Key header, such as a UUID that you keep for retries of the same request.';
    throw new ApiError(400, 'ERR_IDEMPOTENCY_KEY_MISSING', detail);
  }
  return key;
}

/** A run whose agent could call no model would only fail later. */
function checkProvider({ config }: ApiContext, { agent }: NewRunBody): void {
  const { provider } = agentOf(agent as AgentSpec);
  if (!provider || config.providerAccounts[provider]) return;
  const variable = `${provider.toUpperCase()}_API_KEY`;
  const detail = `The agent ${agent.type} needs a key for ${provider}: set ${variable} on the server.`;
  throw new ApiError(422, 'ERR_PROVIDER_NOT_CONFIGURED', detail);
}

/** `Prefer: duplicate=replay` (RFC 7240 lets applications define preferences of their own). */
function wantsReplay(prefer: string | undefined): boolean {
  const preferences = (prefer ?? '').split(',').map((entry) => entry.trim().toLowerCase());
  return preferences.includes('duplicate=replay');
}

function parseTimeout(timeout: NewRunBody['timeout']): number | undefined {
  if (timeout === undefined) return undefined;
  const value = typeof timeout === 'number' ? timeout : ms(timeout as StringValue);
  if (value >= 1 && value <= maxTimeout) return value;
  throw new ApiError(422, 'ERR_INVALID_REQUEST', `timeout must be between 1 ms and ${maxTimeout} ms (a day).`);
}

function defaultMessage({ agent }: NewRunBody): string {
  return `Apply ${agentOf(agent as AgentSpec).describe(agent as AgentSpec)}`;
}
