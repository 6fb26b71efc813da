import type { AgentEvent } from './agent.ts';

/** An event as the lines of a run's log that people read; usage and sessions are kept elsewhere. */
export function renderEvent(event: AgentEvent): readonly string[] {
  switch (event.kind) {
    case 'message':
      return event.text.split('\n').filter((line) => line !== '');
    case 'tool':
      return [`→ ${event.name}: ${event.detail.split('\n')[0]?.slice(0, 500)}`];
    case 'edit':
      return [`→ edit ${event.path}`];
    case 'result':
      return event.ok ? [] : [`The agent reports an error: ${event.text}`];
    default:
      return [];
  }
}
