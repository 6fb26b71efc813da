import type { z } from 'zod';

/** What every agent can tell about its work, whatever its own format is. */
export type AgentEvent =
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'tool'; readonly name: string; readonly detail: string }
  | { readonly kind: 'edit'; readonly path: string }
  | { readonly kind: 'usage'; readonly inputTokens: number; readonly outputTokens: number }
  | { readonly kind: 'session'; readonly id: string }
  | { readonly kind: 'result'; readonly ok: boolean; readonly text: string };

/** What starts an agent inside its workspace. */
export interface AgentCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to the minimal environment that every agent gets. */
  readonly env: Readonly<Record<string, string>>;
  /** Files to write below the agent's home before it starts, by relative path. */
  readonly homeFiles?: Readonly<Record<string, string>>;
}

/** Where an agent that calls a model finds one: the gateway, which holds the provider's key. */
export interface ModelAccess {
  /** Base URL of the provider's API at the gateway, without a trailing slash. */
  readonly baseUrl: string;
  /** Good for one run, and for nothing but the gateway. */
  readonly token: string;
}

/** One kind of agent: what a request may say about it, how it is started, and how its output is read. */
export interface AgentType<Spec extends { readonly type: string } = { readonly type: string }> {
  readonly type: Spec['type'];
  readonly schema: z.ZodType<Spec>;
  /** The provider whose API it calls; absent for agents that call none. */
  readonly provider?: 'anthropic' | 'openai' | 'gemini';
  /** One line for logs and commit messages, without secrets. */
  describe(spec: Spec): string;
  /** @param model present where `provider` is */
  command(spec: Spec, model?: ModelAccess): AgentCommand;
  /**
   * Folders below its home that hold what it remembers of sessions, always the same in the same order.
   * @param directory - where it works: some keep sessions by that
   */
  sessionFolders?(directory: string): readonly string[];
  /** Reads a line of its standard output; `undefined` for a line that is plain text. */
  parseLine?(line: string): readonly AgentEvent[] | undefined;
}
