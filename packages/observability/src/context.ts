import { AsyncLocalStorage } from 'node:async_hooks';
import { trace } from '@opentelemetry/api';

/** What a piece of work belongs to. It goes into every log line and every span that the work makes. */
export interface ContextFields {
  readonly runId?: string;
  readonly tenant?: string;
  readonly jobId?: string;
  readonly queue?: string;
  readonly attempt?: number;
  readonly requestId?: string;
  readonly [field: string]: string | number | boolean | undefined;
}

/** Fields that follow the work through every `await`. */
export interface Context {
  /** Runs `fn` with these fields added to those that are there. The span that is active gets them too. */
  run<T>(fields: ContextFields, fn: () => T): T;
  /** The fields of the work that is running now. */
  get(): ContextFields;
}

/** Span attributes of the fields that have a name of their own; others are `millrace.<field>`. */
const attributeNames: Readonly<Record<string, string>> = {
  runId: 'millrace.run.id',
  tenant: 'millrace.tenant',
  jobId: 'messaging.message.id',
  queue: 'messaging.destination.name',
  attempt: 'millrace.job.attempt',
  requestId: 'millrace.request.id',
};

/** The fields as span attributes. */
export function attributesOf(fields: ContextFields): Record<string, string | number | boolean> {
  const attributes: Record<string, string | number | boolean> = {};
  for (const [field, value] of Object.entries(fields)) {
    if (value !== undefined) attributes[attributeNames[field] ?? `millrace.${field}`] = value;
  }
  return attributes;
}

const none: ContextFields = Object.freeze({});

/** Creates a context of its own. */
export function createContext(): Context {
  const storage = new AsyncLocalStorage<ContextFields>();
  const get = (): ContextFields => storage.getStore() ?? none;
  return {
    get,
    run: (fields, fn) => {
      trace.getActiveSpan()?.setAttributes(attributesOf(fields));
      return storage.run({ ...get(), ...fields }, fn);
    },
  };
}
