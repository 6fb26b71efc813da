import type {
  ChildView,
  ControlAnswer,
  ControlInput,
  ControlOperation,
  ErrorGroup,
  Explanation,
  JobView,
  Page,
  QueueCounts,
  QueueSettings,
  ScheduleRecord,
  TenantView,
} from '../../contract/index.ts';

/** Runs `fn.change` (under the lock of the queue) or `fn.look` with an operation. */
export interface RunControl {
  change(operation: string, input: object): Promise<unknown>;
  look(operation: string, input: object): Promise<unknown>;
}

type Operations = {
  readonly [Op in ControlOperation]: (run: RunControl, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
};

const pageLimit = 500;

/** `undefined` means "remove the bound", which JSON would leave out. */
function withNulls(patch: object | undefined): object | undefined {
  return patch && Object.fromEntries(Object.entries(patch).map(([field, value]) => [field, value ?? null]));
}

/** `fireSchedule` is part of the storage: it enqueues. */
const operations: Omit<Operations, 'fireSchedule'> = {
  configure: async (run, { limits, tenantDefaults, ...rest }) =>
    (await run.change('configure', {
      ...rest,
      ...(limits !== undefined && { limits: withNulls(limits) }),
      ...(tenantDefaults !== undefined && { tenantDefaults: withNulls(tenantDefaults) }),
    })) as QueueSettings,
  limitTenant: async (run, { tenant, limits }) =>
    (await run.change('limitTenant', { tenant, limits: withNulls(limits) })) as TenantView,
  pause: async (run, input) => void (await run.change('pause', input)),
  resume: async (run, input) => void (await run.change('resume', input)),
  cancel: async (run, { ids }) =>
    ids.length === 0 ? [] : ((await run.change('cancel', { ids })) as ControlAnswer<'cancel'>),
  setPriority: (run, input) => changed(run, 'setPriority', input),
  promote: (run, input) => changed(run, 'promote', input),
  redrive: (run, { ids, spacing, offset }) =>
    changed(run, 'redrive', { ids, spacing: Math.round(spacing), offset: Math.round(offset) }),
  purge: (run, input) => changed(run, 'purge', input),
  list,
  count: async (run, input) => Number(await run.look('count', input)),
  counts: async (run) => (await run.look('counts', {})) as QueueCounts,
  job: async (run, input) => {
    const view = (await run.look('job', input)) as StoredView | null;
    return view === null ? undefined : withoutSeq(view);
  },
  explain: async (run, input) => (await run.change('explain', input)) as Explanation,
  children: async (run, input) => (await run.look('children', input)) as ChildView[],
  tenants,
  priorities: async (run) => (await run.look('priorities', {})) as ControlAnswer<'priorities'>,
  errorGroups: async (run, input) => (await run.look('errorGroups', input)) as ErrorGroup[],
  putSchedule: async (run, input) => (await run.change('putSchedule', input)) as ScheduleRecord,
  removeSchedule: async (run, input) => (await run.change('removeSchedule', input)) === true,
  schedules: async (run, input) => (await run.look('schedules', input)) as ScheduleRecord[],
};

/** Operations that leave everything as it was. */
export const lookingOn: ReadonlySet<ControlOperation> = new Set([
  ...(['list', 'count', 'counts', 'job', 'explain', 'children', 'tenants'] as const),
  ...(['priorities', 'errorGroups', 'schedules'] as const),
]);

/** Carries out an operation of the contract. */
export function control<Op extends Exclude<ControlOperation, 'fireSchedule'>>(
  run: RunControl,
  operation: Op,
  input: ControlInput<Op>,
): Promise<ControlAnswer<Op>> {
  const carryOut = operations[operation] as (run: RunControl, input: ControlInput<Op>) => Promise<ControlAnswer<Op>>;
  return carryOut(run, input);
}

interface JobsInput {
  readonly ids: readonly string[];
  readonly [more: string]: unknown;
}

async function changed(run: RunControl, operation: string, input: JobsInput): Promise<number> {
  return input.ids.length === 0 ? 0 : Number(await run.change(operation, input));
}

interface StoredView extends JobView {
  readonly seq: number;
}

function withoutSeq({ seq: _, ...view }: StoredView): JobView {
  return view;
}

async function list(run: RunControl, { filter, cursor, limit }: ControlInput<'list'>): Promise<Page<JobView>> {
  const size = Math.min(limit, pageLimit);
  const rows = (await run.look('list', { filter, cursor: cursor ?? '0', limit: size })) as StoredView[];
  const last = rows.length === size ? rows.at(-1) : undefined;
  return { items: rows.map(withoutSeq), ...(last !== undefined && { cursor: String(last.seq) }) };
}

async function tenants(run: RunControl, { cursor, limit }: ControlInput<'tenants'>): Promise<Page<TenantView>> {
  const size = Math.min(limit, pageLimit);
  const items = (await run.change('tenants', { cursor, limit: size })) as TenantView[];
  const last = items.length === size ? items.at(-1) : undefined;
  return { items, ...(last !== undefined && { cursor: last.tenant }) };
}
