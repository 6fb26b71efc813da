import ms, { type StringValue } from 'ms';
import { agentOf } from '../agents/registry.ts';
import type { AgentSpec, PullRequestWish } from '../db/schema.ts';
import { newId } from '../ids.ts';
import { createRun, type NewRun, type RunWithRepo } from '../runs/create.ts';
import { getRun } from '../runs/store.ts';
import { findSession } from '../sessions/kept.ts';
import { hasRoom } from '../tenants/quota.ts';
import { getTenant, type TenantRow } from '../tenants/tenants.ts';
import type { ApiContext } from './context.ts';
import { ApiError } from './problem.ts';
import { checkRepo } from './repo-access.ts';
import type { NewRunBody } from './schemas.ts';
import { requireKey, type SubmissionHeaders, wantsReplay } from './submissions.ts';

/** A request to run something, as it came over HTTP. */
export interface Submission extends SubmissionHeaders {
  readonly body: NewRunBody;
}

/** The longest timeout or deadline that a run may ask for (milliseconds): a day, and thirty of them. */
const maxTimeout = 86_400_000;
const maxDeadline = 30 * maxTimeout;

/** What the run will be, checked as far as can be told without storing it. */
export type CheckedRun = Omit<NewRun, 'tenantId' | 'traceparent' | 'retryOf' | 'taskId'>;

export interface Submitted {
  readonly run: RunWithRepo;
  readonly replayed: boolean;
}

export async function submitRun(context: ApiContext, submission: Submission): Promise<Submitted> {
  const { body } = submission;
  const tenant = await getTenant(context.db, submission.tenantId);
  return await storeOnce(context, submission, tenant, body, await checkRun(context, tenant, body));
}

/** Submits the run of another one again, as a run of its own. */
export async function retryRun(
  context: ApiContext,
  headers: SubmissionHeaders,
  first: RunWithRepo,
): Promise<Submitted> {
  const tenant = await getTenant(context.db, headers.tenantId);
  await checkRepo(context, tenant, first.repo_url, first.ref);
  const checked: CheckedRun & Pick<NewRun, 'taskId'> = {
    repo: first.repo_url,
    ref: first.ref,
    agent: first.agent,
    message: first.message,
    priority: first.priority,
    timeout: Number(first.timeout_ms),
    ...(first.budget_microusd !== null && { budgetMicroUsd: Number(first.budget_microusd) }),
    ...(first.pull_request && { pullRequest: first.pull_request }),
    ...(first.task_id !== null && { taskId: first.task_id }),
  };
  return await storeOnce(context, headers, tenant, { retryOf: first.id }, { ...checked, retryOf: first.id });
}

/** Everything that can be wrong with a run is told before it is stored. @throws {ApiError} */
export async function checkRun(
  context: ApiContext,
  tenant: TenantRow | undefined,
  body: NewRunBody,
): Promise<CheckedRun> {
  const timeout = parseDuration('timeout', body.timeout, maxTimeout) ?? context.config.runTimeout;
  const deadline = parseDuration('deadline', body.deadline, maxDeadline);
  checkProvider(context, body);
  await checkSession(context, tenant, body);
  await checkRepo(context, tenant, body.repo, body.ref);
  return {
    repo: body.repo,
    ref: body.ref,
    agent: body.agent as AgentSpec,
    message: body.message ?? defaultMessage(body),
    priority: body.priority,
    timeout,
    ...(deadline !== undefined && { deadline }),
    ...(body.budgetMicroUsd !== undefined && { budgetMicroUsd: body.budgetMicroUsd }),
    ...(body.pullRequest && { pullRequest: body.pullRequest as PullRequestWish }),
  };
}

/** The run, its key and its place in the outbox are one commit. */
async function storeOnce(
  context: ApiContext,
  { tenantId, key, prefer, traceparent }: SubmissionHeaders,
  tenant: TenantRow | undefined,
  input: unknown,
  checked: CheckedRun & Pick<NewRun, 'retryOf' | 'taskId'>,
): Promise<Submitted> {
  const operation = 'runs.create';
  const request = { tenantId, operation, key: requireKey(key), input, replay: wantsReplay(prefer) } as const;
  let made: Promise<RunWithRepo> | undefined;
  const { value, replayed } = await context.submissions.submit(request, async (tx) => {
    if (!(await hasRoom(tx, tenant, 1))) throw noRoom();
    const id = newId();
    made = createRun(tx, { id, tenantId, ...checked, ...(traceparent && { traceparent }) });
    return { value: { runId: id }, stored: made };
  });
  if (!replayed) context.relay.publish({ kind: 'outbox', runId: value.runId });
  const run = await (made ?? getRun(context.db, tenantId, value.runId));
  if (!run) {
    throw new ApiError(404, 'ERR_RUN_NOT_FOUND', `The run ${value.runId} of this key was deleted; use a new key.`);
  }
  return { run, replayed };
}

export function noRoom(): ApiError {
  const detail = 'As many runs of the tenant wait as it may have; send this again when some have begun.';
  return new ApiError(429, 'ERR_TENANT_QUEUE_FULL', detail, { retryAfter: 5000 });
}

/** A run whose agent could call no model would only fail later. */
function checkProvider({ config }: ApiContext, { agent }: NewRunBody): void {
  const { provider } = agentOf(agent as AgentSpec);
  if (!provider || config.providerAccounts[provider]) return;
  const variable = `${provider.toUpperCase()}_API_KEY`;
  const detail = `The agent ${agent.type} needs a key for ${provider}: set ${variable} on the server.`;
  throw new ApiError(422, 'ERR_PROVIDER_NOT_CONFIGURED', detail);
}

async function checkSession({ db }: ApiContext, tenant: TenantRow | undefined, { agent }: NewRunBody): Promise<void> {
  const { session: sessionId, type } = agent as AgentSpec;
  if (typeof sessionId !== 'string') return;
  if (tenant && (await findSession(db, { tenantId: tenant.id, agent: type, sessionId }))) return;
  const detail = `No session ${sessionId} of ${type} is kept; take the \`session\` of a run whose artifacts list one.`;
  throw new ApiError(422, 'ERR_SESSION_NOT_FOUND', detail);
}

function parseDuration(name: string, given: NewRunBody['timeout'], maximum: number): number | undefined {
  if (given === undefined) return undefined;
  const value = typeof given === 'number' ? given : ms(given as StringValue);
  if (value >= 1 && value <= maximum) return value;
  throw new ApiError(422, 'ERR_INVALID_REQUEST', `${name} must be between 1 ms and ${ms(maximum, { long: true })}.`);
}

function defaultMessage({ agent }: NewRunBody): string {
  return `Apply ${agentOf(agent as AgentSpec).describe(agent as AgentSpec)}`;
}
