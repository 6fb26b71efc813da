import { STATUS_CODES } from 'node:http';

/** A refusal of the API: a status, a stable code, and a sentence that says what to do. */
export class ApiError extends Error {
  override readonly name = 'ApiError' as const;
  readonly status: number;
  readonly code: `ERR_${string}`;
  /** Further members of the problem document. */
  readonly members: Readonly<Record<string, unknown>>;
  /** Milliseconds after which trying again can help. */
  readonly retryAfter: number | undefined;

  constructor(
    status: number,
    code: `ERR_${string}`,
    message: string,
    options: {
      readonly members?: Readonly<Record<string, unknown>>;
      readonly retryAfter?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, { cause: options.cause });
    this.status = status;
    this.code = code;
    this.members = options.members ?? {};
    this.retryAfter = options.retryAfter;
  }
}

/** Problem details (RFC 9457) with the stable `code` that clients should switch on. */
export function problemResponse(error: ApiError): Response {
  const body = {
    type: 'about:blank',
    title: STATUS_CODES[error.status] ?? 'Error',
    status: error.status,
    code: error.code,
    detail: error.message,
    ...error.members,
  };
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  if (error.retryAfter !== undefined) headers['retry-after'] = `${Math.ceil(error.retryAfter / 1000)}`;
  return new Response(JSON.stringify(body), { status: error.status, headers });
}
