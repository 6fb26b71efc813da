import type { Context } from 'hono';
import type { Principal } from '../../tenants/principal.ts';
import type { ApiEnv } from '../authenticate.ts';
import type { SubmissionHeaders } from '../submissions.ts';

/** What the headers of a creating request say, for the tenant of its caller. */
export function headersOf(
  c: Context<ApiEnv>,
  { tenantId }: Principal,
  headers: { readonly 'idempotency-key'?: string | undefined; readonly prefer?: string | undefined },
): SubmissionHeaders {
  const { 'idempotency-key': key, prefer } = headers;
  return { tenantId, key, prefer, traceparent: c.req.header('traceparent') };
}
