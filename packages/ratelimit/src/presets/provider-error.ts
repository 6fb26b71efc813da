import { RateLimitError } from '../errors.ts';
import type { Failure, FailureKind } from './preset.ts';

/** Kinds that another attempt may cure. */
const curable: ReadonlySet<FailureKind> = new Set<FailureKind>(['slow', 'overloaded', 'server']);

/**
 * A failed answer on its way through the policies. Outermost it becomes the provider's answer again, so that an SDK throws its own error.
 */
export class ProviderError extends RateLimitError {
  readonly code = 'ERR_PROVIDER' as const;
  override readonly name = 'ProviderError' as const;
  readonly kind: FailureKind;
  /** HTTP status. */
  readonly status: number;
  readonly response: Response;
  readonly retryable: boolean;
  /** Milliseconds before another attempt. `slow` is not waited for here: the limiter makes everybody wait. */
  readonly retryAfter: number | undefined;
  /** Milliseconds that everybody has to pause; undefined as well where only one of the limits is used up, whose debt makes its calls wait. */
  readonly pauseFor: number | undefined;

  constructor(provider: string, response: Response, { kind, retryAfter, ofOneLimit = false }: Failure) {
    super(`${provider} answered ${response.status} (${kind}).`);
    this.kind = kind;
    this.status = response.status;
    this.response = response;
    this.retryable = curable.has(kind);
    this.retryAfter = kind === 'slow' ? 0 : retryAfter;
    this.pauseFor = kind === 'slow' && !ofOneLimit ? (retryAfter ?? defaultPauseMs) : undefined;
  }
}

/** The pause after a 429 that does not say how long to wait. */
const defaultPauseMs = 1_000;
