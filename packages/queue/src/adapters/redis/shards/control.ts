import type {
  ControlAnswer,
  ControlInput,
  ControlOperation,
  ErrorGroup,
  QueueCounts,
  ScheduleRecord,
} from '../../../contract/index.ts';
import { escapeField } from '../body.ts';
import { control } from '../control.ts';
import { countJobs, listJobs } from '../scan.ts';
import type { Shard } from '../shard.ts';
import { fireSchedule } from './fire.ts';
import { shardOfTenant } from './place.ts';
import type { Settled, Shares } from './shares.ts';

/** What the control operations of a queue over several shards work with. */
export interface ControlParts {
  readonly shards: readonly Shard[];
  readonly shares: Shares;
}

type Operations = {
  readonly [Op in ControlOperation]: (parts: ControlParts, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
};
type Plain = Exclude<ControlOperation, 'fireSchedule'>;

/** One operation on every shard. */
function onAll<Op extends Plain>(
  { shards }: ControlParts,
  op: Op,
  input: ControlInput<Op>,
): Promise<ControlAnswer<Op>[]> {
  return Promise.all(shards.map((shard) => control(shard.control, op, input)));
}

/** Where the tenant lives. */
function onTenant<Op extends Plain>(
  { shards }: ControlParts,
  op: Op,
  input: ControlInput<Op> & { readonly tenant: string },
): Promise<ControlAnswer<Op>> {
  const shard = shards[shardOfTenant(input.tenant, shards.length)] as Shard;
  return control(shard.control, op, input);
}

/** Ids do not tell where they are: every shard is asked. */
async function sum<Op extends 'setPriority' | 'promote' | 'purge'>(
  parts: ControlParts,
  op: Op,
  input: ControlInput<Op>,
): Promise<number> {
  return (await onAll(parts, op, input)).reduce<number>((total, count) => total + (count as number), 0);
}

const operations: Operations = {
  configure,
  limitTenant: (parts, input) => onTenant(parts, 'limitTenant', input),
  pause: (parts, { tenant }) => steer(parts, 'pause', tenant),
  resume: (parts, { tenant }) => steer(parts, 'resume', tenant),
  cancel: async (parts, input) => {
    const answers = await onAll(parts, 'cancel', input);
    return input.ids
      .slice(0, answers[0]?.length)
      .map((_, index) => answers.map((row) => row[index]).find((one) => one !== 'unknown') ?? 'unknown');
  },
  setPriority: (parts, input) => sum(parts, 'setPriority', input),
  promote: (parts, input) => sum(parts, 'promote', input),
  purge: (parts, input) => sum(parts, 'purge', input),
  redrive: async ({ shards }, { ids, spacing, offset }) => {
    let done = 0;
    for (const shard of shards) {
      done += await control(shard.control, 'redrive', { ids, spacing, offset: offset + done * spacing });
    }
    return done;
  },
  list: ({ shards }, input) =>
    listJobs(
      shards.map((shard) => shard.control),
      input,
    ),
  count: ({ shards }, input) =>
    countJobs(
      shards.map((shard) => shard.control),
      input,
    ),
  counts: async (parts) => (await onAll(parts, 'counts', {})).reduce(addCounts),
  job: async (parts, input) => (await onAll(parts, 'job', input)).find((view) => view !== undefined),
  explain: async (parts, input) => {
    const answers = await onAll(parts, 'explain', input);
    return answers.find(({ reason }) => reason !== 'unknown-job') ?? { reason: 'unknown-job' };
  },
  children: async (parts, input) => (await onAll(parts, 'children', input)).flat(),
  tenants,
  priorities,
  errorGroups,
  putSchedule,
  removeSchedule: async (parts, input) => (await onAll(parts, 'removeSchedule', input)).includes(true),
  schedules: async (parts, input) => {
    const found = (await onAll(parts, 'schedules', input)).flat();
    return [...new Map(found.map((schedule) => [schedule.key, schedule])).values()];
  },
  fireSchedule: ({ shards, shares }, input) => fireSchedule(shards, shares, input),
};

/** Carries out an operation of the contract over all shards. */
export function controlShards<Op extends ControlOperation>(
  parts: ControlParts,
  op: Op,
  input: ControlInput<Op>,
): Promise<ControlAnswer<Op>> {
  const carryOut = operations[op] as (parts: ControlParts, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
  return carryOut(parts, input);
}

/** The first shard decides what the settings are, the others follow. */
async function configure(
  { shards, shares }: ControlParts,
  input: ControlInput<'configure'>,
): Promise<ControlAnswer<'configure'>> {
  const [first, ...others] = shards as readonly [Shard, ...Shard[]];
  const settings = await control(first.control, 'configure', input);
  const settled = JSON.parse(String(await first.control('settings', {}))) as Settled;
  await Promise.all(others.map((shard) => shard.control('adopt', settled)));
  if (Object.keys(settled.settings.limits).length > 0) await shares.divide();
  return settings;
}

async function steer(parts: ControlParts, op: 'pause' | 'resume', tenant: string | undefined): Promise<void> {
  if (tenant === undefined) await onAll(parts, op, {});
  else await onTenant(parts, op, { tenant });
}

/** Every worker's session is open in every shard. */
function addCounts(one: QueueCounts, other: QueueCounts): QueueCounts {
  return {
    ready: one.ready + other.ready,
    delayed: one.delayed + other.delayed,
    leased: one.leased + other.leased,
    succeeded: one.succeeded + other.succeeded,
    dead: one.dead + other.dead,
    cancelled: one.cancelled + other.cancelled,
    waitingBytes: one.waitingBytes + other.waitingBytes,
    sessions: Math.max(one.sessions, other.sessions),
    paused: one.paused || other.paused,
    oldestReadyAge: Math.max(one.oldestReadyAge, other.oldestReadyAge),
  };
}

/** In the order of each shard: of the bytes of the names as they are stored. */
async function tenants(parts: ControlParts, input: ControlInput<'tenants'>): Promise<ControlAnswer<'tenants'>> {
  const pages = await onAll(parts, 'tenants', input);
  const names = new Map(
    pages.flatMap(({ items }) => items).map((view) => [view, Buffer.from(escapeField(view.tenant))] as const),
  );
  const sorted = [...names].sort(([, a], [, b]) => a.compare(b)).map(([view]) => view);
  const items = sorted.slice(0, input.limit);
  const isAll = items.length === sorted.length && pages.every(({ cursor }) => cursor === undefined);
  const last = items.at(-1);
  return { items, ...(!isAll && last !== undefined && { cursor: last.tenant }) };
}

async function priorities(parts: ControlParts): Promise<ControlAnswer<'priorities'>> {
  const ready = new Map<number, number>();
  for (const row of (await onAll(parts, 'priorities', {})).flat()) {
    ready.set(row.priority, (ready.get(row.priority) ?? 0) + row.ready);
  }
  return [...ready].map(([priority, count]) => ({ priority, ready: count })).sort((a, b) => b.priority - a.priority);
}

/** Of the hundred most frequent of each shard. */
async function errorGroups(
  parts: ControlParts,
  { limit }: ControlInput<'errorGroups'>,
): Promise<readonly ErrorGroup[]> {
  const groups = new Map<string, ErrorGroup>();
  for (const group of (await onAll(parts, 'errorGroups', { limit: 100 })).flat()) {
    const known = groups.get(group.fingerprint);
    const newest = known !== undefined && known.newestAt > group.newestAt ? known : group;
    groups.set(group.fingerprint, { ...newest, count: group.count + (known?.count ?? 0) });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count).slice(0, Math.min(limit, 100));
}

/**
 * A schedule lives with the tenant of its jobs, so that firing and enqueueing are one step. Put there before it is taken out of where it was: stopped in between, it fires
 * twice, and an instant names its job, so that it runs twice at most.
 */
async function putSchedule(parts: ControlParts, { schedule }: ControlInput<'putSchedule'>): Promise<ScheduleRecord> {
  const home = shardOfTenant(tenantOf(schedule), parts.shards.length);
  const stored = await control((parts.shards[home] as Shard).control, 'putSchedule', { schedule });
  const others = parts.shards.filter((_, shard) => shard !== home);
  await Promise.all(others.map((shard) => control(shard.control, 'removeSchedule', { key: schedule.key })));
  return stored;
}

function tenantOf({ template }: ScheduleRecord): string {
  const { options } = JSON.parse(template) as { readonly options?: { readonly tenant?: string } };
  return options?.tenant ?? '';
}
