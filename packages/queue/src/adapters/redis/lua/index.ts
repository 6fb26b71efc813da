import { claim } from './claim.ts';
import { controlMain } from './control.ts';
import { controlJobs } from './control-jobs.ts';
import { controlLimits } from './control-limits.ts';
import { controlLook } from './control-look.ts';
import { enqueueMain } from './enqueue.ts';
import { exchangeHead, exchangeMain } from './exchange.ts';
import { finish } from './finish.ts';
import { jobs } from './jobs.ts';
import { leases } from './leases.ts';
import { limits } from './limits.ts';
import { openMain, renewMain } from './open.ts';
import { queueState } from './queue-state.ts';
import { readyLines } from './ready-lines.ts';
import { schedules } from './schedules.ts';
import { settle } from './settle.ts';
import { sweep } from './sweep.ts';
import { tenantRows } from './tenants.ts';

/** Version of keys and bodies. A script refuses a queue of another one, so that old and new workers never mix their writes. */
export const layout = 1;

const core = [queueState, tenantRows, limits, readyLines, jobs, finish];
const settling = [leases, exchangeHead, settle, sweep, claim];
const operations = [leases, schedules, controlJobs, controlLimits, controlLook];

/** Acks must go through when memory is short, so only `enqueue` is refused by a full Redis. */
function script(parts: readonly string[], flags: '' | ' flags=allow-oom'): string {
  return `#!lua${flags}\nlocal LAYOUT = ${layout}\n${parts.join('\n')}`;
}

/** The scripts, whole. */
export const scripts: Readonly<Record<'open' | 'enqueue' | 'exchange' | 'control' | 'renew', string>> = {
  open: script([openMain], ' flags=allow-oom'),
  enqueue: script([...core, schedules, enqueueMain], ''),
  exchange: script([...core, ...settling, exchangeMain], ' flags=allow-oom'),
  control: script([...core, ...operations, controlMain], ' flags=allow-oom'),
  renew: script([renewMain], ' flags=allow-oom'),
};
