import type { Bench } from '../result.ts';
import { claimCostBench } from '../shared/claim-cost.ts';
import { openFile } from './file.ts';
import { enqueueBench, processBench } from './throughput.ts';
import { wakeBench } from './wake.ts';

/** All measurements on SQLite. */
export const sqliteBenches: readonly Bench[] = [
  processBench,
  enqueueBench,
  claimCostBench('sqlite', openFile),
  wakeBench,
];
