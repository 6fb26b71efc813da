import type { AccountBuckets, Bucket } from './buckets.ts';
import type { FullTurn, ProviderRequest } from './turn.ts';
import { list, member, pieces, type RefusalDetails, type SentEvent, text, type Wire } from './wire.ts';

const errorCodes = {
  'rate-limit': ['rate_limit_exceeded', 'requests'],
  quota: ['insufficient_quota', 'insufficient_quota'],
  overloaded: ['server_overloaded', 'server_error'],
  server: ['server_error', 'server_error'],
  auth: ['invalid_api_key', 'invalid_request_error'],
  'bad-request': ['invalid_value', 'invalid_request_error'],
} as const;

function refuse({ kind, message }: RefusalDetails): unknown {
  const [code, type] = errorCodes[kind];
  return { error: { message, type, param: null, code } };
}

/** https://platform.openai.com/docs/guides/rate-limits: input and output tokens count together. */
function limitHeaders({ requests, input }: AccountBuckets): Record<string, string> {
  return { ...bucketHeaders('requests', requests), ...bucketHeaders('tokens', input) };
}

function bucketHeaders(name: string, bucket: Bucket | undefined): Record<string, string> {
  if (bucket === undefined) return {};
  return {
    [`x-ratelimit-limit-${name}`]: String(bucket.limit),
    [`x-ratelimit-remaining-${name}`]: String(bucket.remaining),
    [`x-ratelimit-reset-${name}`]: `${(bucket.timeUntil(bucket.limit) / 1000).toFixed(3)}s`,
  };
}

/** OpenAI Chat Completions: https://platform.openai.com/docs/api-reference/chat */
export const openaiChatWire: Wire = {
  read: (body) => ({
    model: text(body.model),
    stream: body.stream === true,
    tools: list(body.tools).map((tool) => text(member(member(tool, 'function'), 'name'))),
    round: list(body.messages).filter((message) => member(message, 'role') === 'tool').length,
  }),

  reply: (turn, request, id) => ({
    ...chatHead(id, request, 'chat.completion'),
    choices: [{ index: 0, message: chatMessage(turn), finish_reason: finish(turn), logprobs: null }],
    usage: chatUsage(turn),
  }),

  events: (turn, request, id) => {
    const chunk = (delta: unknown, finishReason: string | null = null): SentEvent => ({
      data: {
        ...chatHead(id, request, 'chat.completion.chunk'),
        choices: [{ index: 0, delta, finish_reason: finishReason }],
      },
    });
    const usage = { data: { ...chatHead(id, request, 'chat.completion.chunk'), choices: [], usage: chatUsage(turn) } };
    const wantsUsage = member(request.body.stream_options, 'include_usage') === true;
    return [
      chunk({ role: 'assistant', content: '' }),
      ...pieces(turn.text).map((content) => chunk({ content })),
      ...chatCalls(turn).map((call, index) => chunk({ tool_calls: [{ index, ...call }] })),
      chunk({}, finish(turn)),
      ...(wantsUsage ? [usage] : []),
      { data: '[DONE]' },
    ];
  },
  refuse,
  limitHeaders,
};

function chatHead(id: string, { model, at }: ProviderRequest, object: string): Record<string, unknown> {
  return { id: `chatcmpl-${id}`, object, created: Math.floor(at / 1000), model };
}

function chatCalls({ toolCalls }: FullTurn): Record<string, unknown>[] {
  return toolCalls.map(({ id, name, input }) => ({
    id: `call_${id}`,
    type: 'function',
    function: { name, arguments: JSON.stringify(input) },
  }));
}

function chatMessage(turn: FullTurn): unknown {
  const calls = chatCalls(turn);
  const message = { role: 'assistant', content: turn.text === '' ? null : turn.text, refusal: null };
  return calls.length === 0 ? message : { ...message, tool_calls: calls };
}

function finish({ toolCalls }: FullTurn): string {
  return toolCalls.length > 0 ? 'tool_calls' : 'stop';
}

function chatUsage({ usage: { input, output, cacheRead } }: FullTurn): unknown {
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    prompt_tokens_details: { cached_tokens: cacheRead },
  };
}

/** OpenAI Responses: https://platform.openai.com/docs/api-reference/responses */
export const openaiResponsesWire: Wire = {
  read: (body) => ({
    model: text(body.model),
    stream: body.stream === true,
    tools: list(body.tools).map((tool) => text(member(tool, 'name')) || text(member(tool, 'type'))),
    round: list(body.input).filter((item) => /_output$/.test(text(member(item, 'type')))).length,
  }),

  reply: (turn, request, id) => response(turn, request, id, 'completed'),

  events: (turn, request, id) => {
    const pending = { ...response(turn, request, id, 'in_progress'), output: [], usage: null };
    const events = [
      { type: 'response.created', response: pending },
      { type: 'response.in_progress', response: pending },
      ...outputItems(turn, id).flatMap(itemEvents),
      { type: 'response.completed', response: response(turn, request, id, 'completed') },
    ];
    return events.map((data, i) => ({ event: data.type, data: { ...data, sequence_number: i } }));
  },
  refuse,
  limitHeaders,
};

type Item = Record<string, unknown> & { type: string; id: string };

function response(turn: FullTurn, { model, at }: ProviderRequest, id: string, status: string): Record<string, unknown> {
  const { input, output, cacheRead } = turn.usage;
  return {
    id: `resp_${id}`,
    object: 'response',
    created_at: Math.floor(at / 1000),
    status,
    model,
    output: outputItems(turn, id),
    error: null,
    incomplete_details: null,
    parallel_tool_calls: true,
    tools: [],
    usage: {
      input_tokens: input,
      input_tokens_details: { cached_tokens: cacheRead },
      output_tokens: output,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: input + output,
    },
  };
}

function outputItems(turn: FullTurn, id: string): Item[] {
  const items: Item[] = [];
  if (turn.text !== '') {
    const content = [{ type: 'output_text', text: turn.text, annotations: [] }];
    items.push({ type: 'message', id: `msg_${id}`, role: 'assistant', status: 'completed', content });
  }
  for (const call of turn.toolCalls) {
    const args = JSON.stringify(call.input);
    items.push({
      type: 'function_call',
      id: `fc_${call.id}`,
      call_id: `call_${call.id}`,
      name: call.name,
      arguments: args,
      status: 'completed',
    });
  }
  return items;
}

function itemEvents(item: Item, output_index: number): (Record<string, unknown> & { type: string })[] {
  const at = { item_id: item.id, output_index };
  const opened = item.type === 'message' ? { ...item, status: 'in_progress', content: [] } : { ...item, arguments: '' };
  const middle = item.type === 'message' ? textEvents(item, at) : argumentEvents(item, at);
  return [
    { type: 'response.output_item.added', output_index, item: opened },
    ...middle,
    { type: 'response.output_item.done', output_index, item },
  ];
}

function textEvents(item: Item, at: Record<string, unknown>): (Record<string, unknown> & { type: string })[] {
  const part = list(item.content)[0];
  const whole = text(member(part, 'text'));
  const place = { ...at, content_index: 0 };
  return [
    { type: 'response.content_part.added', ...place, part: { type: 'output_text', text: '', annotations: [] } },
    ...pieces(whole).map((delta) => ({ type: 'response.output_text.delta', ...place, delta, logprobs: [] })),
    { type: 'response.output_text.done', ...place, text: whole, logprobs: [] },
    { type: 'response.content_part.done', ...place, part },
  ];
}

function argumentEvents(item: Item, at: Record<string, unknown>): (Record<string, unknown> & { type: string })[] {
  const whole = text(item.arguments);
  return [
    ...pieces(whole).map((delta) => ({ type: 'response.function_call_arguments.delta', ...at, delta })),
    { type: 'response.function_call_arguments.done', ...at, name: item.name, arguments: whole },
  ];
}
