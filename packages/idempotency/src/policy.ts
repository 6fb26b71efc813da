import { type Duration, toMilliseconds } from './duration.ts';
import { InvalidOptionError } from './errors.ts';
import type { Duplicates, IdempotencyOptions, OperationPolicy, RunRequest } from './options.ts';

/** An operation's policy with every default filled in and durations in milliseconds. */
export interface Policy {
  readonly ttl: number;
  readonly lease: number;
  readonly heartbeat: boolean;
  readonly duplicates: Duplicates;
  readonly maxWait: number;
  readonly attach: OperationPolicy['attach'];
  readonly onExpiredLease: NonNullable<OperationPolicy['onExpiredLease']>;
  readonly onStoreError: 'closed' | 'open';
}

const defaults: Policy = {
  ttl: 86_400_000,
  lease: 30_000,
  heartbeat: true,
  duplicates: 'replay',
  maxWait: 30_000,
  attach: undefined,
  onExpiredLease: 'takeover',
  onStoreError: 'closed',
};

const names = Object.keys(defaults) as readonly (keyof Policy)[];

/** Finds the policy of a call: its own settings, then its operation's, then the general ones, then the defaults. */
export function policyTable(options: IdempotencyOptions<never>): (request: RunRequest) => Policy {
  const general = override(defaults, options);
  const byOperation = new Map<string, Policy>();
  for (const [operation, policy] of Object.entries(options.operations ?? {})) {
    byOperation.set(operation, override(general, policy));
  }
  return (request) => {
    const base = byOperation.get(request.operation) ?? general;
    return names.some((name) => request[name] !== undefined) ? override(base, request) : base;
  };
}

function override(base: Policy, changes: OperationPolicy): Policy {
  const policy: Policy = {
    ttl: milliseconds(changes.ttl, 'ttl', base.ttl),
    lease: milliseconds(changes.lease, 'lease', base.lease),
    heartbeat: changes.heartbeat ?? base.heartbeat,
    duplicates: changes.duplicates ?? base.duplicates,
    maxWait: milliseconds(changes.maxWait, 'maxWait', base.maxWait),
    attach: changes.attach ?? base.attach,
    onExpiredLease: changes.onExpiredLease ?? base.onExpiredLease,
    onStoreError: changes.onStoreError ?? base.onStoreError,
  };
  check(policy);
  return policy;
}

function milliseconds(value: Duration | undefined, name: string, fallback: number): number {
  return value === undefined ? fallback : toMilliseconds(value, name);
}

function check(policy: Policy): void {
  if (policy.lease < 1) throw new InvalidOptionError('`lease` must be at least 1 ms.');
  if (policy.ttl < 1) throw new InvalidOptionError('`ttl` must be at least 1 ms.');
  if (policy.duplicates === 'attach' && !policy.attach) {
    throw new InvalidOptionError(
      "`duplicates: 'attach'` needs `attach`, which says where the first execution can be followed.",
    );
  }
}
