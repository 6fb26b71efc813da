import { z } from '@hono/zod-openapi';
import type { AgentSpec } from '../db/schema.ts';
import type { AgentType } from './agent.ts';
import { claudeAgent, claudeSpec } from './claude.ts';
import { codexAgent, codexSpec } from './codex.ts';
import { commandAgent, commandSpec } from './command.ts';
import { geminiAgent, geminiSpec } from './gemini.ts';

/** The options of every agent, told apart by `type`. */
export const agentSpec = z
  .discriminatedUnion('type', [commandSpec, claudeSpec, codexSpec, geminiSpec])
  .openapi('Agent');

const agents = [commandAgent, claudeAgent, codexAgent, geminiAgent] as unknown as readonly AgentType[];

/** Every agent that a request can name. */
export const agentNames = ['command', 'claude', 'codex', 'gemini'] as const;

/** The agent of a specification that was checked when its run was accepted. */
export function agentOf(spec: AgentSpec): AgentType<AgentSpec> {
  const agent = agents.find(({ type }) => type === spec.type);
  if (!agent) throw new RangeError(`There is no agent ${spec.type}.`);
  return agent as AgentType<AgentSpec>;
}
