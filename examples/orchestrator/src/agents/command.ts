import { z } from '@hono/zod-openapi';
import type { AgentType } from './agent.ts';
import { workspacePath } from './path.ts';

/** Runs any shell command in the workspace: the simplest agent, and the one that needs no provider. */
export const commandSpec = z
  .strictObject({
    type: z.literal('command'),
    command: z
      .string()
      .min(1)
      .max(65_536)
      .refine((value) => !value.includes('\0'), { error: 'must not contain a NUL character' })
      .openapi({ description: 'Shell command, run by /bin/sh in the workspace.', example: 'npm test' }),
    directory: workspacePath.optional(),
  })
  .openapi('CommandAgent');

export type CommandSpec = z.infer<typeof commandSpec>;

export const commandAgent: AgentType<CommandSpec> = {
  type: 'command',
  schema: commandSpec,
  describe: (spec) => `command: ${spec.command.split('\n')[0]?.slice(0, 200)}`,
  command: (spec) => ({ command: '/bin/sh', args: ['-c', spec.command], env: {} }),
};
