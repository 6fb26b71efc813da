import type { LimitOptions } from '../limit-table.ts';
import type { Cost } from '../policy.ts';
import type { PriceTable } from '../prices.ts';

/**
 * What a failed answer means. `slow`: everybody waits. `overloaded`, `server`: the breaker counts it. `quota`: no money or no allowance left,
 * waiting in this call is pointless. `auth`, `fatal`: the same request fails again.
 */
export type FailureKind = 'slow' | 'overloaded' | 'server' | 'quota' | 'auth' | 'fatal';

/** A failed answer, understood. */
export interface Failure {
  readonly kind: FailureKind;
  /** Milliseconds that the provider asks to wait. */
  readonly retryAfter: number | undefined;
  /** The provider did not say how long: `retryAfter` is the first pause, and each further refusal doubles it, until a call succeeds. @default false */
  readonly doubles?: boolean;
  /** Only one of the limits is used up, and its debt makes its own calls wait: the others go on. @default false: everybody pauses after `slow` */
  readonly ofOneLimit?: boolean;
}

/** A request as a preset sees it. */
export interface ProviderCall {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  /** The body when it is JSON, else an empty object. */
  readonly body: Readonly<Record<string, unknown>>;
  /** Length of the body in bytes. */
  readonly bodyLength: number;
}

/** What the headers of an answer say about limits, by limit name. */
export interface LimitReport {
  /** Units per window. */
  readonly limits?: Readonly<Record<string, number>>;
  readonly remaining?: Readonly<Record<string, number>>;
  /** Milliseconds for which nothing is left at all. */
  readonly pauseFor?: number;
}

/** A provider as data: how its requests cost, how its answers count, what its failures mean. */
export interface ProviderPreset {
  readonly name: string;
  /** The limits from units per window by name; those without a number are left out. */
  readonly limits: (units: Readonly<Record<string, number>>) => LimitOptions[];
  /** Names of limits that only some calls count against. Those calls wait for them first, and hold up nobody else meanwhile. @default none */
  readonly scarce?: readonly string[];
  /** Limits that hold for everybody, until the provider's headers or the options say otherwise. */
  readonly defaults: Readonly<Record<string, number>>;
  /** The model a call is for; calls without one share a key. */
  readonly model: (call: ProviderCall) => string | undefined;
  /** What a call costs as far as it shows before it is made. */
  readonly cost: (call: ProviderCall) => Cost;
  /** The most that a call may cost, for budgets: input as estimated, output as capped. */
  readonly worstCase: (call: ProviderCall) => Cost;
  /** The usage as it is billed: `input` with all that was read from the prompt cache. */
  readonly billed: (usage: Cost) => Cost;
  /** Usage in an answer, or in one event of a stream; later values replace earlier ones. */
  readonly usage: (data: unknown) => Cost | undefined;
  readonly report: (headers: Headers, now: number) => LimitReport;
  readonly classify: (status: number, headers: Headers, body: string, now: number) => Failure;
  /** Whether an answer with a good status refuses the call in its body (GraphQL); {@link classify} then says what it means. @default none does */
  readonly refuses?: (call: ProviderCall, body: () => Promise<unknown>) => Promise<boolean>;
  /** Calls at once that the provider allows per account. */
  readonly concurrency: number | undefined;
  /** Prices, where calls cost money. */
  readonly prices: PriceTable | undefined;
  /** Keeps ETags of GET answers, because an unchanged one is free. */
  readonly etags: boolean;
}

/** What a failed status means where the provider has not said more about it. */
export function failureOf(status: number, retryAfter: number | undefined): Failure {
  if (status === 429) return { kind: 'slow', retryAfter };
  if (status === 503 || status === 529) return { kind: 'overloaded', retryAfter };
  if (status === 401 || status === 403) return { kind: 'auth', retryAfter };
  return { kind: status >= 500 ? 'server' : 'fatal', retryAfter };
}

/** A member of an object that came as JSON. */
export function member(value: unknown, ...path: string[]): unknown {
  let current = value;
  for (const name of path) {
    if (typeof current !== 'object' || current === null) return undefined;
    current = (current as Record<string, unknown>)[name];
  }
  return current;
}

/** A number that came as JSON. */
export function numberAt(value: unknown, ...path: string[]): number | undefined {
  const found = member(value, ...path);
  return typeof found === 'number' ? found : undefined;
}

/** A number in a header. */
export function numberIn(headers: Headers, name: string): number | undefined {
  const value = headers.get(name);
  return value === null || value.trim() === '' || Number.isNaN(Number(value)) ? undefined : Number(value);
}

/** Numbers in headers, those that are there, by name. */
export function numbersIn(headers: Headers, names: Readonly<Record<string, string>>): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, headerName] of Object.entries(names)) {
    const value = numberIn(headers, headerName);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** A body as JSON, or undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** About four bytes per token; the actual usage corrects it. */
export function inputEstimate({ bodyLength }: ProviderCall): number {
  return Math.ceil(bodyLength / 4);
}
