import type { FullTurn } from './turn.ts';
import { list, member, pieces, text, type Wire } from './wire.ts';

const statuses = {
  'rate-limit': 'RESOURCE_EXHAUSTED',
  quota: 'RESOURCE_EXHAUSTED',
  overloaded: 'UNAVAILABLE',
  server: 'INTERNAL',
  auth: 'UNAUTHENTICATED',
  'bad-request': 'INVALID_ARGUMENT',
} as const;

/** Gemini generateContent: https://ai.google.dev/api/generate-content. It sends no limit headers; a 429 carries RetryInfo. */
export const geminiWire: Wire = {
  read: (body, path) => ({
    model: decodeURIComponent(/\/models\/([^:/?]+)/.exec(path)?.[1] ?? ''),
    stream: path.includes(':streamGenerateContent'),
    tools: list(body.tools).flatMap((tool) =>
      list(member(tool, 'functionDeclarations') ?? member(tool, 'function_declarations')).map((f) =>
        text(member(f, 'name')),
      ),
    ),
    round: list(body.contents).filter((content) => list(member(content, 'parts')).some(isFunctionResponse)).length,
  }),
  reply: (turn, { model }, id) => answer(parts(turn), turn, model, id, true),
  events: (turn, { model }, id) => {
    const streamed = turn.text === '' ? [] : pieces(turn.text).map((piece) => [{ text: piece }]);
    const calls = parts(turn).filter((part) => 'functionCall' in part);
    const chunks = calls.length > 0 || streamed.length === 0 ? [...streamed, calls] : streamed;
    return chunks.map((chunk, i) => ({ data: answer(chunk, turn, model, id, i === chunks.length - 1) }));
  },
  refuse: ({ kind, status, message, retryAfter }) => ({
    error: {
      code: status,
      message,
      status: statuses[kind],
      details:
        retryAfter === undefined
          ? []
          : [{ '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${retryAfter}s` }],
    },
  }),
  limitHeaders: () => ({}),
};

function isFunctionResponse(part: unknown): boolean {
  return member(part, 'functionResponse') !== undefined;
}

function parts(turn: FullTurn): Record<string, unknown>[] {
  const calls = turn.toolCalls.map(({ id, name, input }) => ({ functionCall: { id, name, args: input } }));
  return turn.text === '' ? calls : [{ text: turn.text }, ...calls];
}

function answer(content: unknown[], turn: FullTurn, model: string, id: string, last: boolean): unknown {
  const { input, output, cacheRead } = turn.usage;
  const candidate = { content: { role: 'model', parts: content }, index: 0 };
  return {
    candidates: [last ? { ...candidate, finishReason: 'STOP' } : candidate],
    modelVersion: model,
    responseId: id,
    usageMetadata: {
      promptTokenCount: input,
      candidatesTokenCount: output,
      totalTokenCount: input + output,
      cachedContentTokenCount: cacheRead,
    },
  };
}
