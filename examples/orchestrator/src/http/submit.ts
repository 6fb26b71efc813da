import ms, { type StringValue } from 'ms';
import { agentOf } from '../agents/registry.ts';
import type { AgentSpec, PullRequestWish } from '../db/schema.ts';
import { createRun, getRun, type RunWithRepo } from '../runs/store.ts';
import type { ApiContext } from './context.ts';
import { ApiError } from './problem.ts';
import type { NewRunBody } from './schemas.ts';

/** A request to run something, as it came over HTTP. */
export interface Submission {
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

export async function submitRun(
  context: ApiContext,
  submission: Submission,
): Promise<{ readonly run: RunWithRepo; readonly replayed: boolean }> {
  const { body, traceparent } = submission;
  const key = checkKey(submission.key);
  const timeout = parseTimeout(body.timeout) ?? context.config.runTimeout;
  const request = { tenantId: context.tenantId, key, input: body, replay: wantsReplay(submission.prefer) };
  checkProvider(context, body);
  await context.preflight.check(body.repo, body.ref);
  const { runId, replayed } = await context.submissions.submit(request, (tx) =>
    createRun(tx, {
      tenantId: context.tenantId,
      repo: body.repo,
      ref: body.ref,
      agent: body.agent as AgentSpec,
      message: body.message ?? defaultMessage(body),
      priority: body.priority,
      timeout,
      ...(body.pullRequest && { pullRequest: body.pullRequest as PullRequestWish }),
      ...(traceparent && { traceparent }),
    }),
  );
  if (!replayed) context.relay.publish({ kind: 'outbox', runId });
  const run = await getRun(context.db, context.tenantId, runId);
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
