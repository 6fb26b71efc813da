import { z } from 'zod';
import type { CheckConclusion, CheckStatus, Observation } from './observation.ts';

/**
 * Reads what GitHub's webhooks say about commits. Only the fields that are used are looked at, and the forge adds
 * fields, actions and events at any time: what is not understood is skipped, never an error.
 */
export function observationsIn(event: string, payload: unknown): readonly Observation[] {
  const read = readers[event];
  if (!read) return [];
  const observation = read(payload);
  return observation ? [observation] : [];
}

const repository = z.object({ id: z.number() });
const conclusions = [
  'success',
  'neutral',
  'skipped',
  'failure',
  'cancelled',
  'timed_out',
  'action_required',
  'stale',
  'startup_failure',
] as const satisfies readonly CheckConclusion[];
const text = z.string().nullish();

/** The fields that every object with a status has. */
const progress = z.object({ id: z.number(), status: text, conclusion: text, html_url: text });

const checkRun = z.object({
  repository,
  check_run: progress.extend({
    name: z.string(),
    head_sha: z.string(),
    started_at: text,
    completed_at: text,
    check_suite: z.object({ id: z.number().nullish() }).nullish(),
  }),
});

const checkSuite = z.object({
  repository,
  check_suite: progress.extend({
    head_sha: z.string(),
    updated_at: text,
    created_at: text,
    app: z.object({ name: text }).nullish(),
  }),
});

const workflowRun = z.object({
  repository,
  workflow_run: progress.extend({
    name: text,
    head_sha: z.string(),
    workflow_id: z.number(),
    event: text,
    run_attempt: z.number().nullish(),
    updated_at: text,
    created_at: text,
  }),
});

const workflowJob = z.object({
  repository,
  workflow_job: progress.extend({
    name: z.string(),
    head_sha: z.string(),
    run_id: z.number(),
    run_attempt: z.number().nullish(),
    started_at: text,
    completed_at: text,
    workflow_id: z.number().nullish(),
  }),
});

const status = z.object({
  repository,
  id: z.number(),
  sha: z.string(),
  context: z.string(),
  state: z.string(),
  target_url: text,
  updated_at: text,
  created_at: text,
});

type Reader = (payload: unknown) => Observation | undefined;

/** An event without the fields that matter says nothing about a commit. */
function reader<Schema extends z.ZodType>(schema: Schema, read: (data: z.output<Schema>) => Observation): Reader {
  return (payload) => {
    const parsed = schema.safeParse(payload);
    return parsed.success ? read(parsed.data) : undefined;
  };
}

const readers: Readonly<Record<string, Reader>> = {
  check_run: reader(checkRun, ({ repository: { id }, check_run: run }) => ({
    repoId: id,
    sha: run.head_sha,
    source: 'check_run',
    key: `${run.check_suite?.id ?? 0}/${run.name}`,
    parent: run.check_suite?.id ? `${run.check_suite.id}` : undefined,
    name: run.name,
    objectId: run.id,
    attempt: 1,
    ...stateOf(run),
    observedAt: laterOf(run.completed_at, run.started_at),
    url: run.html_url ?? undefined,
  })),
  check_suite: reader(checkSuite, ({ repository: { id }, check_suite: suite }) => ({
    repoId: id,
    sha: suite.head_sha,
    source: 'check_suite',
    key: `${suite.id}`,
    parent: undefined,
    name: suite.app?.name ?? `check suite ${suite.id}`,
    objectId: suite.id,
    attempt: 1,
    ...stateOf(suite),
    observedAt: laterOf(suite.updated_at, suite.created_at),
    url: suite.html_url ?? undefined,
  })),
  workflow_run: reader(workflowRun, ({ repository: { id }, workflow_run: run }) => ({
    repoId: id,
    sha: run.head_sha,
    source: 'workflow_run',
    key: `${run.id}`,
    parent: undefined,
    name: run.name ?? `workflow ${run.workflow_id}`,
    objectId: run.id,
    attempt: run.run_attempt ?? 1,
    ...stateOf(run),
    observedAt: laterOf(run.updated_at, run.created_at),
    url: run.html_url ?? undefined,
  })),
  workflow_job: reader(workflowJob, ({ repository: { id }, workflow_job: job }) => ({
    repoId: id,
    sha: job.head_sha,
    source: 'workflow_job',
    key: `${job.run_id}/${job.name}`,
    parent: `${job.run_id}`,
    name: job.name,
    objectId: job.id,
    attempt: job.run_attempt ?? 1,
    ...stateOf(job),
    observedAt: laterOf(job.completed_at, job.started_at),
    url: job.html_url ?? undefined,
  })),
  status: reader(status, (event) => ({
    repoId: event.repository.id,
    sha: event.sha,
    source: 'status',
    key: event.context,
    parent: undefined,
    name: event.context,
    objectId: event.id,
    attempt: 1,
    ...stateOfStatus(event.state),
    observedAt: laterOf(event.updated_at, event.created_at),
    url: event.target_url ?? undefined,
  })),
};

type State = Pick<Observation, 'status' | 'conclusion'>;

function stateOf(object: { status?: string | null | undefined; conclusion?: string | null | undefined }): State {
  if (object.status === 'completed') return { status: 'completed', conclusion: conclusionOf(object.conclusion) };
  const status: CheckStatus = object.status === 'in_progress' ? 'in_progress' : 'queued';
  return { status, conclusion: undefined };
}

/** An ending that the forge adds one day must not let a commit pass. */
function conclusionOf(value: string | null | undefined): CheckConclusion {
  return conclusions.find((conclusion) => conclusion === value) ?? 'failure';
}

/** The states of a commit status: https://docs.github.com/en/rest/commits/statuses */
function stateOfStatus(state: string): State {
  if (state === 'pending') return { status: 'in_progress', conclusion: undefined };
  return { status: 'completed', conclusion: state === 'success' ? 'success' : 'failure' };
}

/** The later of two times, as far as they are given and can be read. */
function laterOf(a: string | null | undefined, b: string | null | undefined): number {
  const times = [a, b].map((time) => Date.parse(time ?? '')).filter((time) => !Number.isNaN(time));
  return Math.max(0, ...times);
}
