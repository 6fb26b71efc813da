/** A metric definition cannot be used; the message names the metric and what to change. */
export class MetricDefinitionError extends Error {
  readonly code = 'ERR_METRIC_DEFINITION' as const;
  override readonly name = 'MetricDefinitionError';
}

/** A metric of this name is in the registry already. Register it once, and share the instruments. */
export class MetricConflictError extends Error {
  readonly code = 'ERR_METRIC_CONFLICT' as const;
  override readonly name = 'MetricConflictError';
}

/** An option of {@link createObservability} or of a health check has a value that cannot be used. */
export class InvalidOptionError extends Error {
  readonly code = 'ERR_INVALID_OPTION' as const;
  override readonly name = 'InvalidOptionError';
}

/** A duration is neither milliseconds nor a string such as `'30s'`. */
export class InvalidDurationError extends Error {
  readonly code = 'ERR_INVALID_DURATION' as const;
  override readonly name = 'InvalidDurationError';
}
