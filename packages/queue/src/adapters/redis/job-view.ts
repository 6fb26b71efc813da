import type { JobFailure, JobState, JobView } from '../../contract/index.ts';
import { type Body, decodeBody, enqueuedAtOf, readyAtOf } from './body.ts';

/** A job as the control script tells it; see `view` in lua/control-look.ts. */
export type ViewReply = readonly [
  id: string,
  state: JobState,
  body: string,
  finishedAt: number | null,
  result: string | null,
  session: string | null,
  fence: string | null,
  claimedAt: string | null,
  cancelRequested: number,
  failures: readonly string[],
  logs: readonly string[],
  progress: string | null,
];

/** The job as people see it. */
export function jobView(reply: ViewReply): JobView {
  const [id, state, text, finishedAt, result, session, fence, claimedAt, cancelRequested, failures, logs, progress] =
    reply;
  const body = decodeBody(text);
  return {
    ...present(body),
    ...{
      id,
      state,
      logs,
      attempt: body.attempts + (state === 'leased' ? 1 : 0),
      cancelRequested: cancelRequested === 1,
    },
    failures: failures.map((failure) => JSON.parse(failure) as JobFailure),
    ...(finishedAt !== null && { finishedAt }),
    ...(result !== null && { result }),
    ...(progress !== null && { progress }),
    ...(session !== null && { lease: { session, fence: Number(fence), claimedAt: Number(claimedAt) } }),
  };
}

type FromBody = Omit<JobView, 'id' | 'state' | 'logs' | 'attempt' | 'cancelRequested' | 'failures'>;

function present(body: Body): FromBody {
  const { name, tenant, priority, maxAttempts, cost, payload, bytes, extras } = body;
  const readyAt = readyAtOf(body);
  return {
    ...{ name, tenant, priority, maxAttempts, cost, payload, bytes },
    enqueuedAt: enqueuedAtOf(body),
    pendingChildren: extras.n ?? 0,
    ...(readyAt !== undefined && { readyAt }),
    ...(extras.p !== undefined && { parentId: extras.p }),
    ...(extras.d !== undefined && { dedupeKey: extras.d }),
    ...(extras.t !== undefined && { traceparent: extras.t }),
  };
}
