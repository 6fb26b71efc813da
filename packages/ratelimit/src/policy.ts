/**
 * What a call costs, by dimension, in whole units: `{ requests: 1, input: 12_000, output: 700 }`.
 * Which dimensions count is up to the limits; `requests` is 1 when absent.
 */
export type Cost = Readonly<Record<string, number>>;

/** What the caller may say about a call; everything is optional. */
export interface CallInit {
  /** Which limiter, breaker or bulkhead state applies, e.g. an account or a model. @default 'default' */
  readonly key?: string;
  /** On whose behalf the call is made. */
  readonly tenant?: string;
  /** The run that the call belongs to (a scope of budgets, a name in the waiting line). */
  readonly run?: string;
  /** The model that is called (a scope of limits, estimates, breakers and prices). */
  readonly model?: string;
  /** What the call will cost, as far as it is known. @default { requests: 1 } */
  readonly cost?: Cost;
  /** Name of the priority class, where a policy knows classes. */
  readonly priority?: string;
  /** Aborts the call wherever it is: waiting, sleeping before a retry, or running. */
  readonly signal?: AbortSignal;
  /** Point on the policies' monotonic clock (milliseconds) after which the call is worthless. */
  readonly deadline?: number;
  /** W3C trace context of the caller. */
  readonly traceparent?: string;
}

/** What every policy and the called function get. Policies derive from it; nobody changes it. */
export interface CallContext {
  readonly key: string;
  readonly tenant: string | undefined;
  readonly run: string | undefined;
  readonly model: string | undefined;
  readonly cost: Cost;
  readonly priority: string | undefined;
  readonly deadline: number | undefined;
  readonly traceparent: string | undefined;
  /** 1 for the first attempt; counted by `retry`. */
  readonly attempt: number;
  /** False when nothing can abort the call: then nobody needs to listen to {@link CallContext.signal}. */
  readonly abortable: boolean;
  /** Whether {@link CallContext.signal} has aborted, without creating it. */
  readonly aborted: boolean;
  /** Aborts when the caller aborts or a policy gives up. Created on first use, so a call that ignores it pays nothing. */
  readonly signal: AbortSignal;
  /** Reports what the call really cost, as soon as it is known; limits and budgets correct their reservation. */
  settle(usage: Cost): void;
  /** A context with some fields replaced; the rest, and the signal, stay linked to this one. */
  derive(change: ContextChange): CallContext;
}

/** What a policy may replace when it passes a context on. */
export interface ContextChange {
  readonly key?: string;
  readonly attempt?: number;
  readonly model?: string;
  readonly cost?: Cost;
  readonly deadline?: number;
  /** A signal, or what makes it when somebody asks for it. */
  readonly signal?: AbortSignal | (() => AbortSignal);
  /** Called with the actual cost before the outer policies hear of it. */
  readonly onSettle?: (usage: Cost) => void;
}

/** A policy wraps the next call: it may delay it, refuse it, repeat it, answer for it. */
export type Policy = <T>(next: (ctx: CallContext) => Promise<T>, ctx: CallContext) => Promise<T>;

/** A function with policies around it. */
export type Call = <T>(fn: (ctx: CallContext) => Promise<T>, init?: CallInit) => Promise<T>;
