import type { AgentEvent, AgentType } from '../agents/agent.ts';
import { renderEvent } from '../agents/render.ts';
import type { LogStream } from '../logs/line.ts';
import type { LogWriter } from '../logs/writer.ts';

/** What an agent said about itself. */
export interface AgentReport {
  readonly sessionId: string | undefined;
  /** Its own verdict, `undefined` when it gave none. */
  readonly result: { readonly ok: boolean; readonly text: string } | undefined;
}

/** Turns an agent's output into the lines of the log and remembers what it said about itself. */
export interface AgentOutput {
  readonly line: (stream: LogStream, text: string) => Promise<void>;
  report(): AgentReport;
}

export function createAgentOutput(agent: Pick<AgentType, 'parseLine'>, log: LogWriter): AgentOutput {
  let sessionId: string | undefined;
  let lastMessage = '';
  let result: AgentReport['result'];
  const note = (event: AgentEvent): void => {
    if (event.kind === 'session') sessionId = event.id;
    if (event.kind === 'message') lastMessage = event.text;
    // Some programs end with a verdict only; their last message is what they had to say.
    if (event.kind === 'result') result = { ok: event.ok, text: event.text || (event.ok ? lastMessage : '') };
  };
  return {
    async line(stream, text) {
      const events = stream === 'stdout' ? agent.parseLine?.(text) : undefined;
      if (!events) return await log.write(stream, text);
      for (const event of events) {
        note(event);
        for (const line of renderEvent(event)) await log.write(stream, line);
      }
    },
    report: () => ({ sessionId, result }),
  };
}
