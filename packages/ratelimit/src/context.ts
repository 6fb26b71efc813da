import type { CallContext, CallInit, ContextChange, Cost } from './policy.ts';

const nothing = (): void => {};
/** The cost of a call that states none. */
export const noCost: Cost = Object.freeze({});

/** What a context holds, without what it does. */
type Fields = Omit<CallContext, 'abortable' | 'aborted' | 'signal' | 'settle' | 'derive'>;

/** The one implementation of {@link CallContext}. The signal is made on first use: most local calls never look at it. */
class Context implements CallContext {
  readonly key: string;
  readonly tenant: string | undefined;
  readonly run: string | undefined;
  readonly model: string | undefined;
  readonly cost: Cost;
  readonly priority: string | undefined;
  readonly deadline: number | undefined;
  readonly traceparent: string | undefined;
  readonly attempt: number;
  readonly settle: (usage: Cost) => void;
  #signal: AbortSignal | (() => AbortSignal) | undefined;
  readonly #parent: CallContext | undefined;

  constructor(
    fields: Fields,
    settle: (usage: Cost) => void,
    signal?: AbortSignal | (() => AbortSignal),
    parent?: CallContext,
  ) {
    this.key = fields.key;
    this.tenant = fields.tenant;
    this.run = fields.run;
    this.model = fields.model;
    this.cost = fields.cost;
    this.priority = fields.priority;
    this.deadline = fields.deadline;
    this.traceparent = fields.traceparent;
    this.attempt = fields.attempt;
    this.settle = settle;
    this.#signal = signal;
    this.#parent = parent;
  }

  get signal(): AbortSignal {
    if (typeof this.#signal === 'function') this.#signal = this.#signal();
    this.#signal ??= this.#parent?.signal ?? new AbortController().signal;
    return this.#signal;
  }

  get abortable(): boolean {
    return this.#signal !== undefined || this.#parent?.abortable === true;
  }

  get aborted(): boolean {
    return this.abortable && this.signal.aborted;
  }

  derive(change: ContextChange): CallContext {
    const fields: Fields = {
      key: change.key ?? this.key,
      tenant: this.tenant,
      run: this.run,
      model: change.model ?? this.model,
      cost: change.cost ?? this.cost,
      priority: this.priority,
      deadline: change.deadline ?? this.deadline,
      traceparent: this.traceparent,
      attempt: change.attempt ?? this.attempt,
    };
    return new Context(fields, this.#settler(change.onSettle), change.signal, this);
  }

  #settler(onSettle: ((usage: Cost) => void) | undefined): (usage: Cost) => void {
    if (onSettle === undefined) return this.settle;
    const outer = this.settle;
    return (usage) => {
      onSettle(usage);
      outer(usage);
    };
  }
}

/** The context that a policy was given, or that of a new call. */
export function asContext(init: CallInit | CallContext | undefined): CallContext {
  if (init === undefined) return anonymous;
  return 'derive' in init ? init : createContext(init);
}

/** The context of a new call. */
export function createContext(init: CallInit = {}): CallContext {
  const fields: Fields = {
    key: init.key ?? 'default',
    tenant: init.tenant,
    run: init.run,
    model: init.model,
    cost: init.cost ?? noCost,
    priority: init.priority,
    deadline: init.deadline,
    traceparent: init.traceparent,
    attempt: 1,
  };
  return new Context(fields, nothing, init.signal);
}

/** Nobody's call: it cannot be aborted and reports to nobody, so all such calls share it. */
const anonymous: CallContext = createContext();
