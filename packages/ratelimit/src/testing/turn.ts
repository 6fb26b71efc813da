/** A tool that the model wants to be called. */
export interface ToolCall {
  readonly name: string;
  readonly input: Readonly<Record<string, unknown>>;
}

/** Tokens of a turn. Of the input, `cacheRead` came from the prompt cache and `cacheWrite` went into it, of that `cacheWriteHour` for an hour (Anthropic). */
export interface TurnUsage {
  readonly input: number;
  readonly output: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly cacheWriteHour: number;
}

/** What the fake model answers to one request. */
export interface Turn {
  /** Text of the answer. @default '' when there are tool calls, else 'Done.' */
  readonly text?: string;
  /** Tools to call; the client calls them and comes back with the results. @default none */
  readonly toolCalls?: readonly ToolCall[];
  /** Tokens to report. @default a quarter of the characters */
  readonly usage?: Partial<TurnUsage>;
}

/** Which interface was called. */
export type ProviderApi = 'anthropic' | 'openai-responses' | 'openai-chat' | 'gemini' | 'github';

/** A request as the fake provider understood it. */
export interface ProviderRequest {
  readonly api: ProviderApi;
  readonly method: string;
  /** Path with query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Readonly<Record<string, unknown>>;
  readonly model: string;
  readonly stream: boolean;
  /** Names of the tools that the client offers. */
  readonly tools: readonly string[];
  /** Tool results that the conversation already holds: 0 for a fresh one. Scripts of turns go by it, so that retries and side requests do no harm. */
  readonly round: number;
  /** Milliseconds of the provider's clock. */
  readonly at: number;
}

/** Chooses the answer to a request. */
export type Respond = (request: ProviderRequest) => Turn | Promise<Turn>;

/**
 * Plays turns in the order of the conversation's tool rounds; after the last one, and for side requests that offer no tools, the model says "Done.".
 *
 * @example
 * ```ts
 * const provider = await startFakeProvider({ respond: turns([{ toolCalls: [writeFile('/tmp/a.txt', 'hello')] }, { text: 'Written.' }]) });
 * ```
 */
export function turns(script: readonly (Turn | ((request: ProviderRequest) => Turn))[]): Respond {
  return (request) => {
    const turn = script[request.round];
    if (turn === undefined || request.tools.length === 0) return { text: 'Done.' };
    return typeof turn === 'function' ? turn(request) : turn;
  };
}

/**
 * A turn that writes a file with whatever file tool the agent offers: `Write` (Claude Code), `exec_command` or `shell` (Codex),
 * `write_file` (Gemini CLI).
 *
 * @param path - absolute, or relative to the agent's working directory where its tool allows that
 */
export function writeFile(path: string, content: string): (request: ProviderRequest) => Turn {
  return ({ tools }) => ({ toolCalls: [fileCall(tools, path, content)] });
}

function fileCall(tools: readonly string[], path: string, content: string): ToolCall {
  if (tools.includes('Write')) return { name: 'Write', input: { file_path: path, content } };
  if (tools.includes('write_file')) return { name: 'write_file', input: { file_path: path, content } };
  const encoded = Buffer.from(content).toString('base64');
  const quoted = `'${path.replaceAll("'", `'\\''`)}'`;
  const cmd = `mkdir -p "$(dirname ${quoted})" && printf %s '${encoded}' | base64 -d > ${quoted}`;
  if (tools.includes('exec_command')) return { name: 'exec_command', input: { cmd } };
  return { name: 'shell', input: { command: ['sh', '-c', cmd] } };
}

/** A turn with everything filled in. */
export interface FullTurn {
  readonly text: string;
  readonly toolCalls: readonly (ToolCall & { readonly id: string })[];
  readonly usage: TurnUsage;
}

/** Fills in what a turn leaves open. */
export function complete(turn: Turn, inputEstimate: number, id: () => string): FullTurn {
  const toolCalls = (turn.toolCalls ?? []).map((call) => ({ ...call, id: id() }));
  const text = turn.text ?? (toolCalls.length > 0 ? '' : 'Done.');
  const output = turn.usage?.output ?? Math.max(1, tokensOf(text) + tokensOf(JSON.stringify(turn.toolCalls ?? '')));
  return {
    text,
    toolCalls,
    usage: { input: inputEstimate, cacheRead: 0, cacheWrite: 0, cacheWriteHour: 0, ...turn.usage, output },
  };
}

/** About four characters per token. */
export function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}
