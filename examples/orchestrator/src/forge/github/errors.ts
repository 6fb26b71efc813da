import { RequestError } from '@octokit/request-error';
import { ForgeError } from '../forge.ts';

/** Statuses that another attempt may cure; 403 is one only when it is about limits. */
const passing: ReadonlySet<number> = new Set([408, 409, 423, 429, 500, 502, 503, 504]);

/** What another caller's token could mend is told as such; the request is named without its query and body. */
export function asForgeError(error: unknown, what: string): ForgeError {
  if (error instanceof ForgeError) return error;
  const limited = limitOf(error);
  if (limited) {
    return new ForgeError(`${what}: GitHub's limits are used up.`, {
      retryable: true,
      retryAfter: limited.retryAfter,
      cause: error,
    });
  }
  if (!(error instanceof RequestError) || !error.response) {
    const message = error instanceof Error ? error.message : String(error);
    return new ForgeError(`${what}: GitHub did not answer (${message}).`, { retryable: true, cause: error });
  }
  const { status } = error;
  const cure = cures[status] ?? '';
  return new ForgeError(`${what}: GitHub answered ${status} (${error.message}).${cure}`, {
    retryable: passing.has(status) || isLimit(error),
    status,
    retryAfter: retryAfterOf(error),
    cause: error,
  });
}

const cures: Readonly<Record<number, string>> = {
  401: ' Check GITHUB_TOKEN, or the App and its key.',
  403: ' Give the token or App access to this repository: contents and pull requests to write, checks and statuses to read.',
  404: ' The repository is not there, or the token or App may not see it.',
};

/** A refusal of our own limits, which octokit wraps. */
function limitOf(error: unknown): { readonly retryAfter: number } | undefined {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code, retryAfter } = cause as { code?: unknown; retryAfter?: unknown };
    const ours = code === 'ERR_RATE_LIMITED' || code === 'ERR_BULKHEAD_FULL' || code === 'ERR_CIRCUIT_OPEN';
    if (ours && typeof retryAfter === 'number') return { retryAfter };
  }
  return undefined;
}

function isLimit(error: RequestError): boolean {
  return error.status === 403 && (retryAfterOf(error) !== undefined || /rate limit|abuse/i.test(error.message));
}

function retryAfterOf(error: RequestError): number | undefined {
  const seconds = Number(error.response?.headers['retry-after'] ?? Number.NaN);
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}
