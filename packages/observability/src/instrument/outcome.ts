import type { callOutcomes } from '../catalogue/values.ts';
import { errorClass, errorCode } from '../error-class.ts';

/** How a call to a provider ended. */
export type CallOutcome = (typeof callOutcomes)[number];

/** Outcome of what a call answered: a Fetch `Response` is judged by its status, anything else is a success. */
export function outcomeOfResult(result: unknown): CallOutcome {
  const status = statusOf(result);
  return status === undefined ? 'ok' : outcomeOfStatus(status);
}

/**
 * Outcome of what a call threw: by the provider's HTTP status where the error has one. Without one, an error of a limit, a
 * budget or a breaker is our own refusal: it never reached the provider.
 */
export function outcomeOfError(error: unknown): CallOutcome {
  const status = statusOf(error);
  if (status !== undefined) return outcomeOfStatus(status);
  switch (errorClass(errorCode(error))) {
    case 'rate_limited':
    case 'budget':
    case 'circuit_open':
      return 'refused';
    case 'timeout':
      return 'timeout';
    case 'network':
      return 'network';
    case 'cancelled':
      return 'cancelled';
    default:
      return 'other';
  }
}

/** HTTP status of a response or an error of an SDK. */
export function statusOf(value: unknown): number | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { status, statusCode } = value as { readonly status?: unknown; readonly statusCode?: unknown };
  const found = status ?? statusCode;
  return typeof found === 'number' && found >= 100 && found < 600 ? found : undefined;
}

function outcomeOfStatus(status: number): CallOutcome {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  return status >= 400 ? 'client_error' : 'ok';
}
