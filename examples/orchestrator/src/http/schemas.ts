import { z } from '@hono/zod-openapi';
import { agentSpec } from '../agents/registry.ts';
import { failureClasses } from '../runs/errors.ts';
import { runStates } from '../runs/states.ts';

const sha = z.string().openapi({ example: '2f7e1d3c9b8a7f6e5d4c3b2a19080706f5e4d3c2' });
const time = z.iso.datetime();

/** Which repository, and from where. */
export const repoFields = {
  repo: z.string().min(1).max(4096).openapi({
    description: 'URL of the repository. A path of this machine, or of a bundle, where REPO_PROTOCOLS has file.',
    example: 'https://git.example.com/team/app.git',
  }),
  ref: z.string().min(1).max(1024).default('HEAD').openapi({ description: 'Branch, tag or commit to begin from.' }),
};

const duration = z.union([z.int().min(1), z.string().regex(/^\d+(\.\d+)?\s*(ms|s|m|h|d)$/)]).optional();

/** What can be said about a run besides its repository and its agent. */
export const runOptions = {
  message: z.string().min(1).max(65_536).optional().openapi({ description: 'Message of the commit.' }),
  budgetMicroUsd: z.int().min(1).optional().openapi({
    description: 'What the agent may spend on models, in millionths of a US dollar.',
  }),
  priority: z.int().min(-100).max(100).default(0).openapi({ description: 'Larger goes first.' }),
  pullRequest: z
    .strictObject({
      title: z.string().min(1).max(256).optional(),
      body: z.string().max(65_536).optional(),
      base: z.string().min(1).max(1024).optional().openapi({ description: 'Branch it should go into.' }),
      waitForChecks: z.boolean().default(false).openapi({
        description: 'The run succeeds when the checks of its commit do, where the forge reports any.',
      }),
      followUp: z
        .strictObject({
          attempts: z.int().min(1).max(10).openapi({ description: 'Further runs at most, one after the other.' }),
          agent: agentSpec.optional().openapi({ description: 'Who mends; the same agent otherwise.' }),
        })
        .optional()
        .openapi({ description: 'When the checks fail, another run mends the same branch. Needs waitForChecks.' }),
    })
    .refine(({ followUp, waitForChecks }) => followUp === undefined || waitForChecks, {
      path: ['followUp'],
      error: 'needs waitForChecks: without waiting nobody knows whether the checks failed',
    })
    .optional()
    .openapi({ description: 'Open a pull request for the branch.' }),
  timeout: duration.openapi({
    description: "How long the agent may take: milliseconds, or '10m'.",
    example: '10m',
  }),
  deadline: duration.openapi({
    description: 'How long the whole run may take from now on, its waits included; it fails when that is over.',
    example: '6h',
  }),
};

export const newRunBody = z.strictObject({ ...repoFields, agent: agentSpec, ...runOptions }).openapi('NewRun');

export type NewRunBody = z.output<typeof newRunBody>;

export const runView = z
  .object({
    id: z.uuid(),
    task: z.uuid().nullable(),
    state: z.enum(runStates),
    parkedReason: z.string().nullable(),
    parkedUntil: time.nullable(),
    repo: z.string(),
    ref: z.string(),
    agent: z.looseObject({ type: z.string() }),
    priority: z.int(),
    attempt: z.int().openapi({ description: 'How often a worker took the run; more than 1 after a crash or a retry.' }),
    branch: z.string().nullable().openapi({ description: 'Set once it is pushed.' }),
    baseSha: sha.nullable(),
    commitSha: sha.nullable(),
    diffStat: z.object({ filesChanged: z.int(), insertions: z.int(), deletions: z.int() }).nullable(),
    pullRequest: z.object({ number: z.int(), url: z.string().nullable() }).nullable(),
    usage: z.object({
      inputTokens: z.int(),
      outputTokens: z.int(),
      costMicroUsd: z.int().openapi({ description: 'Millionths of a US dollar.' }),
    }),
    session: z
      .string()
      .nullable()
      .openapi({ description: "The agent's own session, for the `session` of another run." }),
    exitCode: z.int().nullable(),
    error: z
      .object({
        code: z.string(),
        message: z.string(),
        class: z
          .enum(failureClasses)
          .optional()
          .openapi({ description: '`retryable` failed too often; `fatal` never succeeds.' }),
      })
      .nullable(),
    followUpOf: z.uuid().nullable().openapi({ description: 'The run whose failed checks this one is to mend.' }),
    retryOf: z.uuid().nullable().openapi({ description: 'The run that this one repeats.' }),
    cancelRequested: z.boolean(),
    deadlineAt: time.nullable(),
    createdAt: time,
    startedAt: time.nullable(),
    finishedAt: time.nullable(),
  })
  .openapi('Run');

export const runList = z
  .object({
    runs: z.array(runView),
    next: z.string().nullable().openapi({ description: 'The cursor of the next page.' }),
  })
  .openapi('RunList');

export const logPage = z
  .object({
    lines: z.array(
      z.object({
        seq: z.int(),
        stream: z.enum(['stdout', 'stderr', 'system']),
        at: z.int().openapi({ description: 'Milliseconds since 1970.' }),
        text: z.string(),
      }),
    ),
    next: z.int().openapi({ description: 'Pass it as `after` to read on.' }),
  })
  .openapi('LogPage');

/** The headers of a request that creates something. */
export const keyHeaders = z.object({
  'idempotency-key': z.string().optional().openapi({ description: '1 to 255 printable characters.' }),
  prefer: z.string().optional().openapi({ description: '`duplicate=replay` or `duplicate=reject` (the default).' }),
});

/** How much of a list is wanted, and from where. */
export const pageQuery = z.object({
  limit: z.coerce.number().int().min(1).max(200).default(50),
  cursor: z.string().optional().openapi({ description: '`next` of the page before.' }),
});

export const problem = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    code: z.string().openapi({ description: 'Stable: switch on it.', example: 'ERR_RUN_NOT_FOUND' }),
    detail: z.string().openapi({ description: 'What is wrong and what to do.' }),
  })
  .openapi('Problem');

export const runIdParameter = z.object({ id: z.string().openapi({ param: { name: 'id', in: 'path' } }) });
