import { claim } from './claim.ts';
import { claimRings } from './claim-rings.ts';
import { controlMain } from './control.ts';
import { controlJobs } from './control-jobs.ts';
import { controlLimits } from './control-limits.ts';
import { controlLook } from './control-look.ts';
import { enqueueHead, enqueueMain } from './enqueue.ts';
import { enqueueSpecial } from './enqueue-special.ts';
import { exchangeHead, exchangeMain, exchangeRare } from './exchange.ts';
import { finish } from './finish.ts';
import { handOff } from './hand-off.ts';
import { jobs } from './jobs.ts';
import { lazily } from './lazily.ts';
import { leases } from './leases.ts';
import { limits } from './limits.ts';
import { openMain, renewMain } from './open.ts';
import { queueState } from './queue-state.ts';
import { readyLines } from './ready-lines.ts';
import { schedules } from './schedules.ts';
import { settle, settleRare } from './settle.ts';
import { shards } from './shards.ts';
import { controlShares, shares } from './shares.ts';
import { sweep } from './sweep.ts';
import { tenantRows } from './tenants.ts';

/** Version of keys and bodies. A script refuses a queue of another one, so that old and new workers never mix their writes. */
export const layout = 3;

const core = [queueState, tenantRows, limits, readyLines];
const ofJobs = [jobs, finish];
const operations = [leases, schedules, shares, controlJobs, controlLimits, controlShares, controlLook];

const claimingLazily = [
  lazily('claiming', [claim], ['roomOf', 'takeFrom', 'takeFirsts', 'takeNew', 'claimed', 'writeLeases']),
  lazily('serving', [claimRings], ['claimUpTo']),
];

const enqueueing = [
  enqueueHead,
  lazily('rare', [...ofJobs, schedules, enqueueSpecial], ['enqueueSpecial', 'standingAt', 'moveSchedule']),
  ...claimingLazily,
  handOff,
  enqueueMain,
];

const exchanging = [
  exchangeHead,
  lazily(
    'rare',
    [...ofJobs, leases, settleRare, sweep, exchangeRare],
    [
      'settleFully',
      'dropNotes',
      'returnUnused',
      'extendAll',
      'noteProgress',
      'returnCalls',
      'sweepAll',
      'cancelRequests',
    ],
  ),
  ...claimingLazily,
  settle,
  lazily('sharding', [shares, shards], ['readShardPart', 'shardView']),
  exchangeMain,
];

/** Acks must go through when memory is short, so only `enqueue` is refused by a full Redis. */
function script(parts: readonly string[], flags: '' | ' flags=allow-oom'): string {
  return `#!lua${flags}\nlocal LAYOUT, MAX_ATTEMPTS = ${layout}, ${defaultMaxAttempts}\n${parts.join('\n')}`;
}

/** Attempts of a body in the short form. Part of the layout: it must never follow a changed default of the package. */
export const defaultMaxAttempts = 5;

/** The scripts, whole. */
export const scripts: Readonly<Record<'open' | 'enqueue' | 'exchange' | 'control' | 'renew', string>> = {
  open: script([openMain], ' flags=allow-oom'),
  enqueue: script([...core, ...enqueueing], ''),
  exchange: script([...core, ...exchanging], ' flags=allow-oom'),
  control: script([...core, ...ofJobs, ...operations, controlMain], ' flags=allow-oom'),
  renew: script([renewMain], ' flags=allow-oom'),
};
