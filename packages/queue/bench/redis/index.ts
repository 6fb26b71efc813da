import type { Bench } from '../result.ts';
import { bytesBench, depthBench } from './depth.ts';
import { enqueueBench } from './enqueue.ts';
import { pickupBench } from './pickup.ts';
import { processBench, shardsBench } from './process.ts';

/** All measurements on Redis. */
export const redisBenches: readonly Bench[] = [
  processBench,
  shardsBench,
  enqueueBench,
  pickupBench,
  bytesBench,
  depthBench,
];
