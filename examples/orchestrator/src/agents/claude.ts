import { z } from '@hono/zod-openapi';
import type { AgentEvent, AgentType } from './agent.ts';
import { countAt, type Json, listAt, objectAt, parseJsonLine, textAt } from './json-line.ts';
import { promptFields, subject } from './prompt.ts';

export const claudeSpec = z.strictObject({ type: z.literal('claude'), ...promptFields }).openapi('ClaudeAgent');
export type ClaudeSpec = z.infer<typeof claudeSpec>;

/** The npm package `@anthropic-ai/claude-code` in its headless mode. */
export const claudeAgent: AgentType<ClaudeSpec> = {
  type: 'claude',
  schema: claudeSpec,
  provider: 'anthropic',
  describe: (spec) => `claude: ${subject(spec.prompt)}`,
  command: (spec, model) => ({
    command: 'claude',
    args: [
      '-p',
      spec.prompt,
      '--output-format',
      'stream-json',
      '--verbose',
      '--dangerously-skip-permissions',
      ...(spec.model === undefined ? [] : ['--model', spec.model]),
      ...(spec.session === undefined ? [] : ['--resume', spec.session]),
    ],
    env: {
      ANTHROPIC_BASE_URL: model?.baseUrl ?? '',
      ANTHROPIC_API_KEY: model?.token ?? '',
      // It refuses to work without questions as root unless it is told that it is confined.
      IS_SANDBOX: '1',
      CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1',
      DISABLE_AUTOUPDATER: '1',
    },
  }),
  sessionFolders: (directory) => [`.claude/projects/${directory.replace(/[^a-zA-Z0-9]/g, '-')}`],
  parseLine(line) {
    const message = parseJsonLine(line);
    return message && eventsOf(message);
  },
};

function eventsOf(message: Json): readonly AgentEvent[] {
  switch (message.type) {
    case 'system':
      return message.subtype === 'init' ? [{ kind: 'session', id: textAt(message, 'session_id') }] : [];
    case 'assistant':
      return listAt(objectAt(message, 'message'), 'content').flatMap(contentEvents);
    case 'result':
      return [
        usageOf(objectAt(message, 'usage')),
        { kind: 'result', ok: message.is_error !== true, text: textAt(message, 'result') },
      ];
    default:
      return [];
  }
}

const editingTools = new Set(['Write', 'Edit', 'MultiEdit', 'NotebookEdit']);

function contentEvents(content: Json): readonly AgentEvent[] {
  if (content.type === 'text') return [{ kind: 'message', text: textAt(content, 'text') }];
  if (content.type !== 'tool_use') return [];
  const [name, input] = [textAt(content, 'name'), objectAt(content, 'input')];
  if (editingTools.has(name)) return [{ kind: 'edit', path: textAt(input, 'file_path') }];
  return [{ kind: 'tool', name, detail: textAt(input, 'command') || JSON.stringify(input) }];
}

/** Tokens read from or written to the provider's prompt cache are input, too. */
function usageOf(usage: Json): AgentEvent {
  const cached = countAt(usage, 'cache_creation_input_tokens') + countAt(usage, 'cache_read_input_tokens');
  return {
    kind: 'usage',
    inputTokens: countAt(usage, 'input_tokens') + cached,
    outputTokens: countAt(usage, 'output_tokens'),
  };
}
