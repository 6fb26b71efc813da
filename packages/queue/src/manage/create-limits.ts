import type { ControlInput, QueueLimits, RetentionRule, TenantLimits } from '../contract/index.ts';
import { defaultSettings } from '../contract/limits.ts';
import { toMilliseconds } from '../duration.ts';
import { InvalidOptionError } from '../errors.ts';
import type { Opened } from '../opened.ts';
import type {
  LimitsControl,
  QueueLimitOptions,
  RateOption,
  RetentionOption,
  SettingsOptions,
  TenantLimitOptions,
} from './limits.ts';

/** Creates `queue.limits`. */
export function createLimits(opened: Opened): LimitsControl {
  return {
    set: async (settings, options) => {
      const input = toConfiguration(settings);
      return opened.call((storage) => storage.control('configure', input), options);
    },
    get: (options) => opened.call((storage) => storage.control('configure', {}), options),
    setTenant: async (tenant, limits, options) => {
      const input = { tenant, limits: toTenantLimits(limits) };
      return opened.call((storage) => storage.control('limitTenant', input), options);
    },
  };
}

/** Reads durations and checks bounds. @throws InvalidOptionError, InvalidDurationError */
export function toConfiguration(settings: SettingsOptions): ControlInput<'configure'> {
  const { limits, tenantDefaults, aging, retention } = settings;
  return {
    ...(limits !== undefined && { limits: toQueueLimits(limits) }),
    ...(tenantDefaults !== undefined && { tenantDefaults: toTenantLimits(tenantDefaults) }),
    ...(aging !== undefined && { aging: toMilliseconds(aging, 'aging') }),
    ...(retention !== undefined && { retention: toRetention(retention) }),
  };
}

/** `null` becomes undefined (remove the bound), what is absent stays absent. */
function bound<K extends string>(
  name: K,
  value: number | null | undefined,
  min: number,
): { [P in K]?: number | undefined } {
  if (value === undefined) return {};
  if (value !== null && !(Number.isFinite(value) && value >= min)) {
    throw new InvalidOptionError(`\`${name}\` must be a number from ${min} up, or null for no bound; it is ${value}.`);
  }
  return { [name]: value ?? undefined } as { [P in K]?: number | undefined };
}

function toQueueLimits(options: QueueLimitOptions): QueueLimits {
  return {
    ...bound('maxLeased', options.maxLeased, 0),
    ...bound('maxWaiting', options.maxWaiting, 0),
    ...bound('maxWaitingBytes', options.maxWaitingBytes, 0),
    ...(options.rate !== undefined && { rate: options.rate === null ? undefined : toRate(options.rate) }),
  };
}

function toTenantLimits(options: TenantLimitOptions): TenantLimits {
  const { budget } = options;
  return {
    ...toQueueLimits(options),
    ...bound('weight', options.weight, Number.MIN_VALUE),
    ...(budget !== undefined && { budget: budget === null ? undefined : toBudget(budget) }),
  };
}

function toRate({ limit, per, burst }: RateOption): NonNullable<QueueLimits['rate']> {
  const milliseconds = toMilliseconds(per, 'rate.per');
  if (!(limit > 0) || milliseconds <= 0) throw new InvalidOptionError('`rate` needs a limit and a time above 0.');
  if (burst !== undefined && !(burst >= 1)) throw new InvalidOptionError('`rate.burst` must be at least 1.');
  return { limit, per: milliseconds, ...(burst !== undefined && { burst }) };
}

function toBudget({ units, per }: NonNullable<TenantLimitOptions['budget']>): NonNullable<TenantLimits['budget']> {
  const milliseconds = toMilliseconds(per, 'budget.per');
  if (!(units >= 0) || milliseconds <= 0)
    throw new InvalidOptionError('`budget` needs units from 0 up and a time above 0.');
  return { units, per: milliseconds };
}

function toRetention(retention: NonNullable<SettingsOptions['retention']>): Partial<Record<State, RetentionRule>> {
  const rules = Object.entries(retention).map(([state, rule]) => [state, toRule(state as State, rule)]);
  return Object.fromEntries(rules) as Partial<Record<State, RetentionRule>>;
}

type State = 'succeeded' | 'dead' | 'cancelled';

/** Bounds that are left out are wide open once another one is given for `succeeded`, whose default is to keep nothing. */
function toRule(state: State, rule: RetentionOption): RetentionRule {
  const open = { age: 7 * 86_400_000, count: 10_000, bytes: 64 * 1_048_576 };
  const fallback = state === 'succeeded' ? open : defaultSettings.retention[state];
  return {
    age: rule.age === undefined ? fallback.age : toMilliseconds(rule.age, 'retention.age'),
    count: rule.count ?? fallback.count,
    bytes: rule.bytes ?? fallback.bytes,
  };
}
