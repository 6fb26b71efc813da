import type { z } from 'zod';

/** What starts an agent inside its workspace. */
export interface AgentCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the minimal environment that every agent gets. */
  readonly env: Readonly<Record<string, string>>;
}

/** One kind of agent: what a request may say about it, and how it is started. */
export interface AgentType<Spec extends { readonly type: string } = { readonly type: string }> {
  readonly type: Spec['type'];
  readonly schema: z.ZodType<Spec>;
  /** One line for logs, without secrets. */
  describe(spec: Spec): string;
  command(spec: Spec): AgentCommand;
}
