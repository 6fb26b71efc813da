import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * Whether the body was signed with one of the secrets: `X-Hub-Signature-256` is `sha256=` and the hex HMAC-SHA-256 of
 * the raw bytes. Several secrets allow a rotation without a gap. Compared in constant time.
 * https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
 */
export function isSigned(body: Uint8Array, header: string | undefined, secrets: readonly string[]): boolean {
  const given = /^sha256=([0-9a-f]{64})$/.exec(header ?? '')?.[1];
  if (given === undefined) return false;
  const bytes = Buffer.from(given, 'hex');
  return secrets.some((secret) => timingSafeEqual(createHmac('sha256', secret).update(body).digest(), bytes));
}
