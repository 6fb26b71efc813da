/** The triple that names one record: whose request, which operation, which key. */
interface Named {
  readonly tenant: string;
  readonly operation: string;
  readonly key: string;
}

/** Base of every error of this package; `code` tells them apart, also across duplicate copies of the package. */
export abstract class IdempotencyError extends Error {
  /** Stable identifier, `ERR_…`. */
  abstract readonly code: string;
}

/** The first execution of this key still runs. Nothing was executed for this call. */
export class IdempotencyInProgressError extends IdempotencyError {
  readonly code = 'ERR_IDEMPOTENCY_IN_PROGRESS' as const;
  override readonly name = 'IdempotencyInProgressError' as const;
  /** Milliseconds after which the first execution is likely to have finished, from what this operation usually takes. */
  readonly retryAfter: number;
  /** Where the first execution can be followed (duplicates: `attach`); undefined otherwise. */
  readonly location: string | undefined;

  constructor(record: Named, retryAfter: number, location?: string) {
    super(
      `"${record.operation}" with this key is still running: ask again in ${Math.ceil(retryAfter)} ms with the same key, or use duplicates: 'wait'.`,
    );
    this.retryAfter = retryAfter;
    this.location = location;
  }
}

/** The key was used before with another input. Nothing was executed. */
export class IdempotencyMismatchError extends IdempotencyError {
  readonly code = 'ERR_IDEMPOTENCY_MISMATCH' as const;
  override readonly name = 'IdempotencyMismatchError' as const;

  constructor(record: Named) {
    super(
      `This key was already used for "${record.operation}" with another input: use a new key, or repeat the first input unchanged.`,
    );
  }
}

/** The operation was executed before with this key and input, and its duplicates are refused (`duplicates: 'reject'`). */
export class IdempotencyDuplicateError extends IdempotencyError {
  readonly code = 'ERR_IDEMPOTENCY_DUPLICATE' as const;
  override readonly name = 'IdempotencyDuplicateError' as const;
  /** What the first execution returned. */
  readonly value: unknown;

  constructor(record: Named, value: unknown) {
    super(
      `"${record.operation}" was already executed with this key; the first result is in \`value\`, or use duplicates: 'replay'.`,
    );
    this.value = value;
  }
}

/** This executor's lease ended and someone else may run the operation now; nothing it writes has an effect any more. */
export class LeaseLostError extends IdempotencyError {
  readonly code = 'ERR_LEASE_LOST' as const;
  override readonly name = 'LeaseLostError' as const;
  /** The fence that is stale now. */
  readonly fence: number;

  constructor(record: Named, fence: number, options?: ErrorOptions) {
    super(
      `The lease on "${record.operation}" (fence ${fence}) is lost: stop, the result of this execution is not kept.`,
      options,
    );
    this.fence = fence;
  }
}

/** An executor died with its effects unknown and the operation parks such cases; a person or a job must `resolve` it. */
export class OutcomeUnknownError extends IdempotencyError {
  readonly code = 'ERR_OUTCOME_UNKNOWN' as const;
  override readonly name = 'OutcomeUnknownError' as const;
  /** Fence of the execution that died; `resolve` asks for it. */
  readonly fence: number;

  constructor(record: Named & { readonly fence: number }) {
    super(
      `An earlier execution of "${record.operation}" with this key died and nobody knows how far it came: find out, then call resolve().`,
    );
    this.fence = record.fence;
  }
}

/** The store failed or did not answer in time. */
export class StoreUnavailableError extends IdempotencyError {
  readonly code = 'ERR_STORE_UNAVAILABLE' as const;
  override readonly name = 'StoreUnavailableError' as const;
  /** Milliseconds after which it is worth asking again. */
  readonly retryAfter: number;

  constructor(store: string, call: string, options?: ErrorOptions) {
    super(
      `The ${store} store failed at ${call}(): check its connection (see \`cause\`), or set onStoreError to 'open' for operations that may run twice.`,
      options,
    );
    this.retryAfter = 1000;
  }
}

/** A key, tenant or operation name that cannot be used. */
export class InvalidKeyError extends IdempotencyError {
  readonly code = 'ERR_INVALID_KEY' as const;
  override readonly name = 'InvalidKeyError' as const;
}

/** A value that has no canonical JSON form (RFC 8785), so that no fingerprint or stored copy of it can be made. */
export class UnserializableError extends IdempotencyError {
  readonly code = 'ERR_UNSERIALIZABLE' as const;
  override readonly name = 'UnserializableError' as const;
}

/** A stored result cannot be read back: damaged, encrypted with another key, or written by a newer version. */
export class StoredResultError extends IdempotencyError {
  readonly code = 'ERR_STORED_RESULT' as const;
  override readonly name = 'StoredResultError' as const;
}

/** An option has a value that cannot work. */
export class InvalidOptionError extends IdempotencyError {
  readonly code = 'ERR_INVALID_OPTION' as const;
  override readonly name = 'InvalidOptionError' as const;
}

/** An option that should be a length of time is not one. */
export class InvalidDurationError extends IdempotencyError {
  readonly code = 'ERR_INVALID_DURATION' as const;
  override readonly name = 'InvalidDurationError' as const;

  constructor(option: string, value: unknown) {
    super(`Expected \`${option}\` to be milliseconds or text such as '30s', got ${JSON.stringify(value)}.`);
  }
}
