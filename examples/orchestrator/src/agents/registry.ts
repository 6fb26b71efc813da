import type { AgentSpec } from '../db/schema.ts';
import type { AgentType } from './agent.ts';
import { commandAgent } from './command.ts';

/** Every agent that a request can name. */
export const agentTypes = { command: commandAgent } as const;

/** The agent of a stored specification; it was checked when the run was accepted. */
export function agentOf(spec: AgentSpec): { readonly agent: AgentType; readonly spec: { readonly type: string } } {
  const agent: AgentType | undefined = Object.hasOwn(agentTypes, spec.type)
    ? (agentTypes[spec.type as keyof typeof agentTypes] as unknown as AgentType)
    : undefined;
  if (!agent) throw new RangeError(`Unknown agent ${spec.type}.`);
  return { agent, spec };
}
