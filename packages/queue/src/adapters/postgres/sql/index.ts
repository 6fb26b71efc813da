import { absorbFunctions } from './absorb.ts';
import { callFunctions } from './call.ts';
import { claimFunctions } from './claim.ts';
import { controlFunctions } from './control.ts';
import { controlJobFunctions } from './control-jobs.ts';
import { controlLimitFunctions } from './control-limits.ts';
import { dedupeFunctions } from './dedupe.ts';
import { enqueueFunctions } from './enqueue.ts';
import { exchangeFunctions } from './exchange.ts';
import { finishFunctions } from './finish.ts';
import { jobFunctions } from './jobs.ts';
import { lookFunctions } from './look.ts';
import { settleFunctions } from './settle.ts';
import { storeFunctions } from './store.ts';
import { sweepFunctions } from './sweep.ts';
import { tables, vacuuming } from './tables.ts';
import { tenantFunctions } from './tenants.ts';
import { toldFunctions } from './told.ts';
import { transactionFunctions } from './transaction.ts';

export { functionsSchema, inSchema, quote } from './sql.ts';

/** Tables of layout 1. */
export const layoutOne: string = tables + vacuuming;

/** All functions, in an order in which each finds the types it needs. */
export const functions: string = [
  callFunctions,
  tenantFunctions,
  jobFunctions,
  finishFunctions,
  settleFunctions,
  dedupeFunctions,
  storeFunctions,
  enqueueFunctions,
  absorbFunctions,
  sweepFunctions,
  claimFunctions,
  toldFunctions,
  exchangeFunctions,
  controlJobFunctions,
  controlLimitFunctions,
  lookFunctions,
  controlFunctions,
  transactionFunctions,
].join('\n');
