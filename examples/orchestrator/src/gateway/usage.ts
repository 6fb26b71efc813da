import { createParser } from 'eventsource-parser';
import { countAt, type Json, objectAt } from '../agents/json-line.ts';
import type { ProviderName, Usage } from './providers.ts';

/** Sees the messages of an answer as they pass by and knows in the end what the call used. */
interface UsageReader {
  see(message: Json): void;
  usage(): Usage;
}

/** Watches the body of an answer, JSON or server-sent events, without holding it up. */
export interface UsageMeter {
  feed(text: string): void;
  /** Call it when the body has ended. */
  end(): Usage;
}

/** Bytes of a JSON answer that are kept to be read; a larger one counts as unknown usage. */
const maxJsonBytes = 16 * 1024 * 1024;

export function createUsageMeter(provider: ProviderName, contentType: string): UsageMeter {
  const reader = readers[provider]();
  if (contentType.startsWith('text/event-stream')) {
    const parser = createParser({ onEvent: ({ data }) => see(reader, data) });
    return { feed: (text) => parser.feed(text), end: () => reader.usage() };
  }
  let body = '';
  return {
    feed(text) {
      if (body.length < maxJsonBytes) body += text;
    },
    end() {
      see(reader, body);
      return reader.usage();
    },
  };
}

function see(reader: UsageReader, text: string): void {
  if (!text.startsWith('{') && !text.startsWith('[')) return;
  try {
    const parsed: unknown = JSON.parse(text);
    for (const message of Array.isArray(parsed) ? parsed : [parsed]) reader.see(message as Json);
  } catch {
    // A cut-off answer has no usage to read; what was seen before counts.
  }
}

const readers: Readonly<Record<ProviderName, () => UsageReader>> = {
  anthropic: anthropicReader,
  openai: openaiReader,
  gemini: geminiReader,
};

/** `message_start` has the input, each `message_delta` the output so far; a plain answer has both at once. */
function anthropicReader(): UsageReader {
  let [inputTokens, outputTokens] = [0, 0];
  return {
    see(message) {
      const outer = objectAt(message, 'usage');
      const usage = Object.keys(outer).length > 0 ? outer : objectAt(objectAt(message, 'message'), 'usage');
      const cached = countAt(usage, 'cache_creation_input_tokens') + countAt(usage, 'cache_read_input_tokens');
      inputTokens = Math.max(inputTokens, countAt(usage, 'input_tokens') + cached);
      outputTokens = Math.max(outputTokens, countAt(usage, 'output_tokens'));
    },
    usage: () => ({ inputTokens, outputTokens }),
  };
}

/** Responses API: the last event holds the response with its usage; Chat Completions: `usage` in the last chunk. */
function openaiReader(): UsageReader {
  let [inputTokens, outputTokens] = [0, 0];
  return {
    see(message) {
      const outer = objectAt(message, 'usage');
      const usage = Object.keys(outer).length > 0 ? outer : objectAt(objectAt(message, 'response'), 'usage');
      inputTokens = Math.max(inputTokens, countAt(usage, 'input_tokens'), countAt(usage, 'prompt_tokens'));
      outputTokens = Math.max(outputTokens, countAt(usage, 'output_tokens'), countAt(usage, 'completion_tokens'));
    },
    usage: () => ({ inputTokens, outputTokens }),
  };
}

function geminiReader(): UsageReader {
  let [inputTokens, outputTokens] = [0, 0];
  return {
    see(message) {
      const usage = objectAt(message, 'usageMetadata');
      const output = countAt(usage, 'candidatesTokenCount') + countAt(usage, 'thoughtsTokenCount');
      inputTokens = Math.max(inputTokens, countAt(usage, 'promptTokenCount'));
      outputTokens = Math.max(outputTokens, output);
    },
    usage: () => ({ inputTokens, outputTokens }),
  };
}
