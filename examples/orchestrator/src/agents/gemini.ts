import { basename } from 'node:path';
import { z } from '@hono/zod-openapi';
import type { AgentEvent, AgentType } from './agent.ts';
import { countAt, type Json, objectAt, parseJsonLine, textAt } from './json-line.ts';
import { promptFields, subject } from './prompt.ts';

export const geminiSpec = z.strictObject({ type: z.literal('gemini'), ...promptFields }).openapi('GeminiAgent');
export type GeminiSpec = z.infer<typeof geminiSpec>;

/** Without a model it asks a router model first, and retries a malformed answer of that for 95 s: so there is always one. */
const defaultModel = 'gemini-2.5-pro';

const settings = JSON.stringify({
  security: { auth: { selectedType: 'gemini-api-key' } },
  privacy: { usageStatisticsEnabled: false },
  general: { disableAutoUpdate: true },
});

/** The npm package `@google/gemini-cli` in its headless mode. */
export const geminiAgent: AgentType<GeminiSpec> = {
  type: 'gemini',
  schema: geminiSpec,
  provider: 'gemini',
  describe: (spec) => `gemini: ${subject(spec.prompt)}`,
  command: (spec, model) => ({
    command: 'gemini',
    args: [
      '-p',
      spec.prompt,
      '--output-format',
      'stream-json',
      '--yolo',
      '--skip-trust',
      '-m',
      spec.model ?? defaultModel,
      ...(spec.session === undefined ? [] : ['--resume', spec.session]),
    ],
    env: { GOOGLE_GEMINI_BASE_URL: model?.baseUrl ?? '', GEMINI_API_KEY: model?.token ?? '' },
    homeFiles: { '.gemini/settings.json': settings },
  }),
  sessionFolders: (directory) => [`.gemini/tmp/${slug(basename(directory))}/chats`],
  parseLine(line) {
    const event = parseJsonLine(line);
    return event && eventsOf(event);
  },
};

/** The name that the program gives a project, by its folder's. */
function slug(name: string): string {
  const words = name.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  return words.replace(/^-|-$/g, '') || 'project';
}

const editingTools = new Set(['write_file', 'replace', 'edit']);

function eventsOf(event: Json): readonly AgentEvent[] {
  switch (event.type) {
    case 'init':
      return [{ kind: 'session', id: textAt(event, 'session_id') }];
    case 'message':
      return event.role === 'assistant' ? [{ kind: 'message', text: textAt(event, 'content') }] : [];
    case 'tool_use':
      return [toolEvent(event)];
    case 'result': {
      const stats = objectAt(event, 'stats');
      const tokens = { inputTokens: countAt(stats, 'input_tokens'), outputTokens: countAt(stats, 'output_tokens') };
      const error = textAt(objectAt(event, 'error'), 'message');
      return [
        { kind: 'usage', ...tokens },
        { kind: 'result', ok: event.status === 'success', text: error },
      ];
    }
    default:
      return [];
  }
}

function toolEvent(event: Json): AgentEvent {
  const [name, parameters] = [textAt(event, 'tool_name'), objectAt(event, 'parameters')];
  if (editingTools.has(name)) return { kind: 'edit', path: textAt(parameters, 'file_path') };
  return { kind: 'tool', name, detail: textAt(parameters, 'command') || JSON.stringify(parameters) };
}
