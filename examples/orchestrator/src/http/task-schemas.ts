import { z } from '@hono/zod-openapi';
import { claudeSpec } from '../agents/claude.ts';
import { codexSpec } from '../agents/codex.ts';
import { commandSpec } from '../agents/command.ts';
import { geminiSpec } from '../agents/gemini.ts';
import { repoFields, runOptions, runView } from './schemas.ts';

const ownPrompt = { prompt: true } as const;

/** An agent of a task: without a prompt of its own it gets the task's. */
const taskAgent = z
  .discriminatedUnion('type', [
    commandSpec,
    claudeSpec.partial(ownPrompt).openapi('ClaudeTaskAgent'),
    codexSpec.partial(ownPrompt).openapi('CodexTaskAgent'),
    geminiSpec.partial(ownPrompt).openapi('GeminiTaskAgent'),
  ])
  .openapi('TaskAgent');

/** Runs that one request may make. */
const maxAgents = 20;

const prompt = z
  .string()
  .min(1)
  .max(200_000)
  .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' })
  .openapi({ description: 'What is to be done, for every agent without a prompt of its own.' });

export const newTaskBody = z
  .strictObject({
    ...repoFields,
    title: z.string().min(1).max(200).optional().openapi({ description: "The prompt's first line otherwise." }),
    prompt: prompt.optional(),
    agents: z.array(taskAgent).max(maxAgents).default([]).openapi({ description: 'A run is made for each.' }),
    ...runOptions,
  })
  .openapi('NewTask');
export type NewTaskBody = z.output<typeof newTaskBody>;

export const taskRunsBody = z
  .strictObject({
    prompt: prompt.optional().openapi({ description: "What is to be done now; the task's prompt otherwise." }),
    agents: z.array(taskAgent).min(1).max(maxAgents),
    ...runOptions,
  })
  .openapi('NewTaskRuns');
export type TaskRunsBody = z.output<typeof taskRunsBody>;

export const taskView = z
  .object({
    id: z.uuid(),
    repo: z.string(),
    repoId: z.uuid(),
    ref: z.string(),
    title: z.string(),
    prompt: z.string(),
    createdAt: z.iso.datetime(),
  })
  .openapi('Task');

export const taskWithRuns = z.object({ task: taskView, runs: z.array(runView) }).openapi('TaskWithRuns');

export const taskList = z.object({ tasks: z.array(taskView), next: z.string().nullable() }).openapi('TaskList');

export const messageList = z
  .object({
    messages: z.array(
      z.object({
        id: z.uuid(),
        author: z.enum(['user', 'agent']),
        run: z.uuid().nullable().openapi({ description: 'The run whose agent said it.' }),
        body: z.string(),
        createdAt: z.iso.datetime(),
      }),
    ),
    next: z.string().nullable(),
  })
  .openapi('MessageList');
