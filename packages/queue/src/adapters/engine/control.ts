import type { ControlAnswer, ControlInput, ControlOperation } from '../../contract/index.ts';
import type { Call } from './call.ts';
import { cancel, promoteNow, purge, redrive, setPriority } from './change-jobs.ts';
import { configure, limitTenant, pause, resume } from './change-limits.ts';
import { fireSchedule, putSchedule } from './cron.ts';
import { childViews, counts, explain, jobView, list, tenantPage } from './look.ts';
import { settleTouched } from './ring.ts';

type Operations = {
  readonly [Op in ControlOperation]: (call: Call, input: ControlInput<Op>) => ControlAnswer<Op>;
};

const operations: Operations = {
  configure,
  limitTenant,
  pause,
  resume,
  cancel,
  setPriority,
  promote: promoteNow,
  redrive,
  purge,
  list,
  count: (call, { filter }) => call.tables.countJobs(filter),
  counts,
  job: (call, { id }) => {
    const row = call.tables.job(id);
    return row && jobView(row);
  },
  explain,
  children: childViews,
  tenants: tenantPage,
  priorities: (call) => call.tables.readyPerPriority(),
  errorGroups: (call, { limit }) => call.tables.errorGroups(Math.min(limit, 100)),
  putSchedule,
  removeSchedule: (call, { key }) => call.tables.removeSchedule(key),
  schedules: (call, { keys }) => {
    const all = call.tables.schedules();
    return keys === undefined ? all : all.filter((schedule) => keys.includes(schedule.key));
  },
  fireSchedule,
};

/** Carries out one control operation. */
export function control<Op extends ControlOperation>(
  call: Call,
  operation: Op,
  input: ControlInput<Op>,
): ControlAnswer<Op> {
  const answer = operations[operation](call, input);
  settleTouched(call);
  return answer;
}
