import type { Kysely } from 'kysely';
import { ApiError } from '../http/problem.ts';
import { storeDelivery } from './deliveries.ts';
import { isSigned } from './signature.ts';
import type { CiDatabase } from './tables.ts';

export interface WebhookOptions {
  readonly db: Kysely<CiDatabase>;
  /** Secrets that sign deliveries; two during a rotation. None: every delivery is refused. */
  readonly secrets: readonly string[];
  /** Called after a new delivery is stored. */
  readonly onStored: () => void;
}

/** GitHub sends no payload larger than this: https://docs.github.com/en/webhooks/webhook-events-and-payloads */
const maxBodyBytes = 25 * 2 ** 20;

/**
 * Takes a delivery of GitHub: checks its signature over the raw bytes, stores it, answers. What it means is found out
 * later, because GitHub gives up after ten seconds and does not try again.
 *
 * @throws {ApiError} 401, 400 or 413 for what GitHub would not have sent; 503 while no secret is configured.
 */
export async function receiveWebhook(request: Request, options: WebhookOptions): Promise<Response> {
  if (options.secrets.length === 0) {
    const hint = 'Set GITHUB_WEBHOOK_SECRET to the secret of the webhook, then redeliver.';
    throw new ApiError(503, 'ERR_WEBHOOKS_OFF', `This server has no secret to check webhooks with. ${hint}`);
  }
  const body = await readBody(request);
  if (!isSigned(body, request.headers.get('x-hub-signature-256') ?? undefined, options.secrets)) {
    const hint = 'The secret of the webhook and GITHUB_WEBHOOK_SECRET must be the same.';
    throw new ApiError(401, 'ERR_WEBHOOK_SIGNATURE', `X-Hub-Signature-256 does not fit the body. ${hint}`);
  }
  const delivery = { id: header(request, 'x-github-delivery'), event: header(request, 'x-github-event'), body };
  const fresh = await storeDelivery(options.db, delivery);
  if (fresh) options.onStored();
  return Response.json({ delivery: delivery.id, duplicate: !fresh }, { status: 202 });
}

/** Stops reading at the limit: an unsigned stranger must not fill the memory. */
async function readBody(request: Request): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength;
    if (size > maxBodyBytes) {
      throw new ApiError(413, 'ERR_BODY_TOO_LARGE', `A delivery of GitHub has at most ${maxBodyBytes} bytes.`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function header(request: Request, name: string): string {
  const value = request.headers.get(name) ?? '';
  if (/^[\w.-]{1,200}$/.test(value)) return value;
  throw new ApiError(400, 'ERR_WEBHOOK_HEADER', `The header ${name} is missing or malformed.`);
}
