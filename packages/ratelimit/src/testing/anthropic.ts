import type { Bucket } from './buckets.ts';
import type { FullTurn } from './turn.ts';
import { list, member, pieces, type SentEvent, text, type Wire } from './wire.ts';

const errorTypes = {
  'rate-limit': 'rate_limit_error',
  quota: 'billing_error',
  overloaded: 'overloaded_error',
  server: 'api_error',
  auth: 'authentication_error',
  'bad-request': 'invalid_request_error',
} as const;

/** Anthropic Messages: https://docs.anthropic.com/en/api/messages and /en/api/rate-limits */
export const anthropicWire: Wire = {
  read: (body) => ({
    model: text(body.model),
    stream: body.stream === true,
    tools: list(body.tools).map((tool) => text(member(tool, 'name'))),
    round: list(body.messages).filter((message) => hasBlock(message, 'tool_result')).length,
  }),

  reply: (turn, { model }, id) => ({ ...head(id, model), content: content(turn), ...stop(turn), usage: usage(turn) }),

  events: (turn, { model }, id) => [
    {
      event: 'message_start',
      data: {
        type: 'message_start',
        message: {
          ...head(id, model),
          content: [],
          stop_reason: null,
          stop_sequence: null,
          usage: { ...usage(turn), output_tokens: 1 },
        },
      },
    },
    { event: 'ping', data: { type: 'ping' } },
    ...content(turn).flatMap(blockEvents),
    {
      event: 'message_delta',
      data: { type: 'message_delta', delta: stop(turn), usage: { output_tokens: turn.usage.output } },
    },
    { event: 'message_stop', data: { type: 'message_stop' } },
  ],

  refuse: ({ kind, message }) => ({ type: 'error', error: { type: errorTypes[kind], message } }),

  limitHeaders: ({ requests, input, output }, now) => ({
    ...bucketHeaders('requests', requests, now),
    ...bucketHeaders('input-tokens', input, now),
    ...bucketHeaders('output-tokens', output, now),
  }),
};

type Block = Record<string, unknown> & { type: string };

function hasBlock(message: unknown, type: string): boolean {
  return list(member(message, 'content')).some((block) => member(block, 'type') === type);
}

function head(id: string, model: string): Record<string, unknown> {
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model };
}

function content(turn: FullTurn): Block[] {
  const blocks: Block[] = turn.text === '' ? [] : [{ type: 'text', text: turn.text }];
  for (const { id, name, input } of turn.toolCalls) blocks.push({ type: 'tool_use', id: `toolu_${id}`, name, input });
  return blocks;
}

function stop({ toolCalls }: FullTurn): Record<string, unknown> {
  return { stop_reason: toolCalls.length > 0 ? 'tool_use' : 'end_turn', stop_sequence: null };
}

function usage({ usage: { input, output, cacheRead, cacheWrite, cacheWriteHour } }: FullTurn): Record<string, unknown> {
  return {
    input_tokens: input - cacheRead - cacheWrite,
    cache_creation_input_tokens: cacheWrite,
    cache_creation: {
      ephemeral_5m_input_tokens: cacheWrite - cacheWriteHour,
      ephemeral_1h_input_tokens: cacheWriteHour,
    },
    cache_read_input_tokens: cacheRead,
    output_tokens: output,
  };
}

function blockEvents(block: Block, index: number): SentEvent[] {
  const isText = block.type === 'text';
  const start = isText ? { type: 'text', text: '' } : { ...block, input: {} };
  const whole = isText ? text(block.text) : JSON.stringify(block.input);
  const deltas = pieces(whole).map((piece) =>
    isText ? { type: 'text_delta', text: piece } : { type: 'input_json_delta', partial_json: piece },
  );
  return [
    { event: 'content_block_start', data: { type: 'content_block_start', index, content_block: start } },
    ...deltas.map((delta) => ({
      event: 'content_block_delta',
      data: { type: 'content_block_delta', index, delta },
    })),
    { event: 'content_block_stop', data: { type: 'content_block_stop', index } },
  ];
}

function bucketHeaders(name: string, bucket: Bucket | undefined, now: number): Record<string, string> {
  if (bucket === undefined) return {};
  return {
    [`anthropic-ratelimit-${name}-limit`]: String(bucket.limit),
    [`anthropic-ratelimit-${name}-remaining`]: String(bucket.remaining),
    [`anthropic-ratelimit-${name}-reset`]: new Date(now + bucket.timeUntil(bucket.limit)).toISOString(),
  };
}
