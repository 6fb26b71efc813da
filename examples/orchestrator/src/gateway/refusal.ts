/** Why an agent could not call its model, and what that means for its run. */
export interface Refusal {
  /** `budget`: no money. `breaker`: the provider is down. `provider-limit`: the provider's limits are used up. */
  readonly reason: 'budget' | 'breaker' | 'provider-limit';
  readonly message: string;
  /** Milliseconds after which it is worth trying again; infinite when it never is. */
  readonly retryAfter: number;
  readonly cause: unknown;
}

/** What is known to pass is waited for at least so long (milliseconds) when nobody says how long. */
const shortest: Readonly<Record<Refusal['reason'], number>> = {
  budget: Number.POSITIVE_INFINITY,
  breaker: 30_000,
  'provider-limit': 60_000,
};

const reasons: Readonly<Record<string, Refusal['reason']>> = {
  ERR_BUDGET_EXCEEDED: 'budget',
  ERR_CIRCUIT_OPEN: 'breaker',
  ERR_TIMEOUT: 'breaker',
  ERR_RATE_LIMITED: 'provider-limit',
  ERR_BULKHEAD_FULL: 'provider-limit',
};

/** What an error of our policies means; `undefined` for one that is about this call only. */
export function refusalOf(error: unknown): Refusal | undefined {
  const { code = '', message = '', retryAfter } = error as { code?: string; message?: string; retryAfter?: number };
  const reason = reasons[code];
  return reason && { reason, message, retryAfter: retryAfter ?? shortest[reason], cause: error };
}

/** What an answer of the provider means after all that our policies could do; `undefined` for one about this call only. */
export function refusalIn(response: Response): Refusal | undefined {
  const { status, headers } = response;
  const reason = status === 429 ? 'provider-limit' : status >= 500 ? 'breaker' : undefined;
  if (!reason) return undefined;
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);
  const retryAfter = Math.max(shortest[reason], Number.isFinite(seconds) ? seconds * 1000 : 0);
  return { reason, message: `The provider answered ${status}.`, retryAfter, cause: undefined };
}
