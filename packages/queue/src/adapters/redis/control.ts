import type {
  ChildView,
  ControlAnswer,
  ControlInput,
  ControlOperation,
  ErrorGroup,
  Explanation,
  JobFailure,
  JobState,
  Page,
  QueueCounts,
  ScheduleRecord,
  TenantView,
} from '../../contract/index.ts';
import { escapeField, unescapeField } from './body.ts';
import { jobView, type ViewReply } from './job-view.ts';
import { countJobs, listJobs } from './scan.ts';

/** Runs one operation of the control script. */
export type RunControl = (operation: string, input: object) => Promise<unknown>;

type Operations = {
  readonly [Op in ControlOperation]: (run: RunControl, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
};

const pageLimit = 500;

function cut(ids: readonly string[]): { readonly ids: readonly string[] } {
  return { ids: ids.slice(0, pageLimit) };
}

/** `undefined` means "remove the bound", which JSON would leave out. */
function withNulls(patch: object | undefined): object | undefined {
  return patch && Object.fromEntries(Object.entries(patch).map(([field, value]) => [field, value ?? null]));
}

/** The control operations of the contract over those of the script. `fireSchedule` is part of the storage: it enqueues. */
const operations: Omit<Operations, 'fireSchedule'> = {
  configure: async (run, { limits, tenantDefaults, ...rest }) =>
    JSON.parse(
      String(await run('configure', { ...rest, limits: withNulls(limits), tenantDefaults: withNulls(tenantDefaults) })),
    ) as ControlAnswer<'configure'>,
  limitTenant: async (run, { tenant, limits }) =>
    tenantView(await run('limitTenant', { tenant: escapeField(tenant), limits: withNulls(limits) })),
  pause: async (run, { tenant }) => void (await run('pause', ofTenant(tenant))),
  resume: async (run, { tenant }) => void (await run('resume', ofTenant(tenant))),
  cancel: async (run, { ids }) =>
    ids.length === 0 ? [] : ((await run('cancel', cut(ids))) as ControlAnswer<'cancel'>),
  setPriority: (run, { ids, priority }) => changed(run, 'setPriority', ids, { priority }),
  promote: (run, { ids }) => changed(run, 'promote', ids),
  redrive: (run, { ids, spacing, offset }) => changed(run, 'redrive', ids, { spacing, offset }),
  purge: (run, { ids }) => changed(run, 'purge', ids),
  list: (run, input) => listJobs([run], input),
  count: (run, input) => countJobs([run], input),
  counts,
  job: async (run, { id }) => {
    const reply = (await run('job', { id })) as ViewReply | null;
    return reply === null ? undefined : jobView(reply);
  },
  explain,
  children: async (run, input) => ((await run('children', input)) as ChildReply[]).map(childView),
  tenants,
  priorities: async (run) => priorities((await run('priorities', {})) as string[]),
  errorGroups: async (run, { limit }) =>
    ((await run('errorGroups', { limit: Math.min(limit, 100) })) as GroupReply[]).map(errorGroup),
  putSchedule: async (run, input) => JSON.parse(String(await run('putSchedule', input))) as ScheduleRecord,
  removeSchedule: async (run, input) => (await run('removeSchedule', input)) === 1,
  schedules: async (run, input) =>
    ((await run('schedules', input)) as string[]).map((text) => JSON.parse(text) as ScheduleRecord),
};

/** Carries out an operation of the contract. */
export function control<Op extends Exclude<ControlOperation, 'fireSchedule'>>(
  run: RunControl,
  operation: Op,
  input: ControlInput<Op>,
): Promise<ControlAnswer<Op>> {
  const carryOut = operations[operation] as (run: RunControl, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
  return carryOut(run, input);
}

function ofTenant(tenant: string | undefined): object {
  return tenant === undefined ? {} : { tenant: escapeField(tenant) };
}

async function changed(run: RunControl, operation: string, ids: readonly string[], more: object = {}): Promise<number> {
  return ids.length === 0 ? 0 : Number(await run(operation, { ...cut(ids), ...more }));
}

async function counts(run: RunControl): Promise<QueueCounts> {
  const reply = (await run('counts', {})) as number[];
  const [ready = 0, delayed = 0, leased = 0, succeeded = 0, dead = 0, cancelled = 0, waitingBytes = 0] = reply;
  const [sessions = 0, paused = 0, now = 0] = reply.slice(7);
  const oldest = ready > 0 ? await oldestReadyAt(run) : undefined;
  return {
    ...{ ready, delayed, leased, succeeded, dead, cancelled, waitingBytes, sessions },
    paused: paused === 1,
    oldestReadyAge: oldest === undefined ? 0 : Math.max(0, now - oldest),
  };
}

/** Looks at the head of every line: a call per 200 tenants. */
async function oldestReadyAt(run: RunControl): Promise<number | undefined> {
  let oldest = Number.POSITIVE_INFINITY;
  let cursor: string | undefined;
  do {
    const [time, next] = (await run('oldest', cursor === undefined ? {} : { cursor })) as [number, string];
    if (time >= 0) oldest = Math.min(oldest, time);
    cursor = next === '' ? undefined : next;
  } while (cursor !== undefined);
  return Number.isFinite(oldest) ? oldest : undefined;
}

async function explain(run: RunControl, { id }: ControlInput<'explain'>): Promise<Explanation> {
  const [reason, until, ahead] = (await run('explain', { id })) as [Explanation['reason'], number, number];
  return { reason, ...(until >= 0 && { until }), ...(ahead >= 0 && { ahead }) };
}

type ChildReply = readonly [id: string, name: string, state: JobState, result: string | null, failure: string | null];

function childView([id, name, state, result, failure]: ChildReply): ChildView {
  return {
    ...{ id, name: unescapeField(name), state },
    ...(result != null && { result }),
    ...(failure != null && { failure: JSON.parse(failure) as JobFailure }),
  };
}

type TenantReply = readonly [string, string, number, number, number, number, number, number, number];

function tenantView(reply: unknown): TenantView {
  const [tenant, limits, paused, ready, delayed, leased, waitingBytes, spent, parkedFor] = reply as TenantReply;
  return {
    tenant: unescapeField(tenant),
    limits: JSON.parse(limits) as TenantView['limits'],
    paused: paused === 1,
    ...{ ready, delayed, leased, waitingBytes, spent },
    ...(parkedFor >= 0 && { parkedFor }),
  };
}

async function tenants(run: RunControl, { cursor, limit }: ControlInput<'tenants'>): Promise<Page<TenantView>> {
  const size = Math.min(limit, pageLimit);
  const from = cursor === undefined ? {} : { cursor: escapeField(cursor) };
  const items = ((await run('tenants', { ...from, limit: size })) as unknown[]).map(tenantView);
  const last = items.length === size ? items.at(-1) : undefined;
  return { items, ...(last !== undefined && { cursor: last.tenant }) };
}

function priorities(flat: readonly string[]): ControlAnswer<'priorities'> {
  const rows = Array.from({ length: flat.length / 2 }, (_, index) => ({
    priority: Number(flat[index * 2]),
    ready: Number(flat[index * 2 + 1]),
  }));
  return rows.filter(({ ready }) => ready > 0).sort((a, b) => b.priority - a.priority);
}

type GroupReply = readonly [string, string, string, string, string, string];

function errorGroup([fingerprint, count, message, code, newestAt, sampleId]: GroupReply): ErrorGroup {
  return { fingerprint, count: Number(count), message, code, newestAt: Number(newestAt), sampleId };
}
