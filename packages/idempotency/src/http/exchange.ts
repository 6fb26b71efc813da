import { InvalidKeyError } from '../errors.ts';
import { sha256 } from '../fingerprint.ts';
import { maxNameLength } from '../key.ts';
import type { ExecutionContext } from '../options.ts';
import { inputFingerprint, type RequestBody } from './input.ts';
import { keyHeader, parseKey } from './key-header.ts';
import type { HttpSettings } from './options.ts';
import { type Answer, firstResponseOf, problem, problemOf } from './problem.ts';
import { locationOf, replayAnswer, type StoredResponse } from './stored-response.ts';

/** A request as every adapter can show it. */
export interface Incoming {
  readonly method: string;
  /** Path and query, as received. */
  readonly target: string;
  header(name: string): string | undefined;
  /** Reads the body, or throws {@link BodyTooLargeError}. */
  body(): Promise<RequestBody> | RequestBody;
}

/** What became of a request: the handler's own response stands, or another answer takes its place. */
export type Verdict =
  | { readonly kind: 'own'; readonly bypassed: boolean }
  | { readonly kind: 'answer'; readonly answer: Answer };

/** Thrown by an execution whose response must not be kept: the key is free again and the response stands. */
export class NotStored extends Error {}

/** The request's body is larger than `maxRequestBytes`. */
export class BodyTooLargeError extends Error {}

/** Carries an error of the handler through `run`, so that it is not taken for one of this package's own. */
class HandlerError extends Error {}

/** True when the request is none of this package's business. */
export function passes<R>(settings: HttpSettings<R>, incoming: Pick<Incoming, 'method' | 'header'>): boolean {
  if (!settings.methods.has(incoming.method.toUpperCase())) return true;
  return !settings.required && incoming.header(keyHeader) === undefined;
}

/** Executes a request once per key; errors of `execute` come out unchanged. */
export async function exchange<R>(
  settings: HttpSettings<R>,
  request: R,
  incoming: Incoming,
  execute: (context: ExecutionContext) => Promise<StoredResponse>,
): Promise<Verdict> {
  try {
    const call = await describe(settings, request, incoming);
    if ('answer' in call) return { kind: 'answer', answer: call.answer };
    const { value, replayed, bypassed } = await settings.idempotency.run(call.request, async (context) => {
      try {
        return await execute(context);
      } catch (error) {
        throw error instanceof NotStored ? error : new HandlerError('handler', { cause: error });
      }
    });
    if (!replayed) return { kind: 'own', bypassed };
    return { kind: 'answer', answer: await replayAnswer(value, settings.spill) };
  } catch (error) {
    if (error instanceof NotStored) return { kind: 'own', bypassed: false };
    if (error instanceof HandlerError) throw error.cause;
    const answer = problemOf(error, locationOf(firstResponseOf(error)));
    if (answer) return { kind: 'answer', answer };
    throw error;
  }
}

type Described =
  | { readonly answer: Answer }
  | { readonly request: Parameters<HttpSettings<never>['idempotency']['run']>[0] };

async function describe<R>(settings: HttpSettings<R>, request: R, incoming: Incoming): Promise<Described> {
  const header = incoming.header(keyHeader);
  if (header === undefined) return { answer: missingKey() };
  const key = parseKey(header, settings.strict);
  const { path, search } = splitTarget(incoming.target);
  const tenant = await settings.tenant(request);
  const operation = settings.operation?.(request) ?? operationOf(incoming.method, path);
  let body: RequestBody;
  try {
    body = await incoming.body();
  } catch (error) {
    if (error instanceof BodyTooLargeError) return { answer: tooLarge(settings.maxRequestBytes) };
    throw error;
  }
  const headers = settings.fingerprintHeaders.map((name) => incoming.header(name));
  const fingerprint = inputFingerprint({ contentType: incoming.header('content-type'), search, headers, body });
  const traceparent = incoming.header('traceparent');
  return {
    request: {
      ...settings.policy(request),
      tenant,
      operation,
      key,
      fingerprint,
      ...(traceparent !== undefined && { traceparent }),
    },
  };
}

/** Method and path; a path too long to be a name is shortened to its hash. */
function operationOf(method: string, path: string): string {
  const name = `${method.toUpperCase()} ${path}`;
  return name.length <= maxNameLength ? name : `${method.toUpperCase()} sha256:${sha256(path)}`;
}

function splitTarget(target: string): { readonly path: string; readonly search: string } {
  try {
    const { pathname, search } = new URL(target, 'http://localhost');
    return { path: pathname, search };
  } catch (cause) {
    throw new InvalidKeyError('The request target is not a valid path.', { cause });
  }
}

function missingKey(): Answer {
  return problem(400, {
    code: 'ERR_IDEMPOTENCY_KEY_MISSING',
    detail: 'Send an Idempotency-Key header, such as a UUID that you keep for retries of the same request.',
  });
}

function tooLarge(limit: number): Answer {
  return problem(413, { code: 'ERR_BODY_TOO_LARGE', detail: `The request body may have at most ${limit} bytes.` });
}
