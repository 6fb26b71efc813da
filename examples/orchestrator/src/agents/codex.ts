import { z } from '@hono/zod-openapi';
import type { AgentEvent, AgentType } from './agent.ts';
import { countAt, type Json, listAt, objectAt, parseJsonLine, textAt } from './json-line.ts';
import { promptFields, subject } from './prompt.ts';

export const codexSpec = z.strictObject({ type: z.literal('codex'), ...promptFields }).openapi('CodexAgent');
export type CodexSpec = z.infer<typeof codexSpec>;

/** The npm package `@openai/codex` in its `exec` mode. Millrace's executor is its sandbox, so its own is off. */
export const codexAgent: AgentType<CodexSpec> = {
  type: 'codex',
  schema: codexSpec,
  provider: 'openai',
  describe: (spec) => `codex: ${subject(spec.prompt)}`,
  command: (spec, model) => {
    const provider = `{name="millrace",base_url="${model?.baseUrl ?? ''}/v1",wire_api="responses",env_key="OPENAI_API_KEY"}`;
    return {
      command: 'codex',
      args: [
        'exec',
        ...(spec.session === undefined ? [] : ['resume', spec.session]),
        '--json',
        '--skip-git-repo-check',
        '--dangerously-bypass-approvals-and-sandbox',
        '-c',
        'model_provider=millrace',
        '-c',
        `model_providers.millrace=${provider}`,
        ...(spec.model === undefined ? [] : ['-m', spec.model]),
        '--',
        spec.prompt,
      ],
      env: { OPENAI_API_KEY: model?.token ?? '' },
    };
  },
  sessionFolders: () => ['.codex/sessions'],
  parseLine(line) {
    const event = parseJsonLine(line);
    return event && eventsOf(event);
  },
};

function eventsOf(event: Json): readonly AgentEvent[] {
  switch (event.type) {
    case 'thread.started':
      return [{ kind: 'session', id: textAt(event, 'thread_id') }];
    case 'item.completed':
      return itemEvents(objectAt(event, 'item'));
    case 'turn.completed': {
      const usage = objectAt(event, 'usage');
      const tokens = { inputTokens: countAt(usage, 'input_tokens'), outputTokens: countAt(usage, 'output_tokens') };
      return [
        { kind: 'usage', ...tokens },
        { kind: 'result', ok: true, text: '' },
      ];
    }
    case 'turn.failed':
      return [{ kind: 'result', ok: false, text: textAt(objectAt(event, 'error'), 'message') }];
    default:
      return [];
  }
}

function itemEvents(item: Json): readonly AgentEvent[] {
  switch (item.type) {
    case 'agent_message':
      return [{ kind: 'message', text: textAt(item, 'text') }];
    case 'command_execution':
      return [{ kind: 'tool', name: 'shell', detail: textAt(item, 'command') }];
    case 'file_change':
      return listAt(item, 'changes').map((change) => ({ kind: 'edit', path: textAt(change, 'path') }));
    default:
      return [];
  }
}
