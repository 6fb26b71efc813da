import { z } from '@hono/zod-openapi';

/** What every agent that works from a prompt takes. */
export const promptFields = {
  prompt: z
    .string()
    .min(1)
    .max(200_000)
    .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' })
    .openapi({ description: 'What the agent is asked to do.', example: 'Add a test for the parser.' }),
  model: z
    .string()
    .regex(/^[\w.:/-]{1,200}$/, { error: 'must be the name of a model' })
    .optional()
    .openapi({ description: "The model; the agent's own default otherwise." }),
  session: z
    .string()
    .regex(/^[\w-]{1,200}$/, { error: 'must be the id of a session' })
    .optional()
    .openapi({
      description: 'The session of an earlier run to go on from, of the same tenant, as long as it is kept.',
    }),
};

/** The first line of a prompt, short enough for a log line or the subject of a commit. */
export function subject(prompt: string): string {
  const line = prompt.trim().split('\n')[0] ?? '';
  return line.length > 72 ? `${line.slice(0, 71)}…` : line;
}
