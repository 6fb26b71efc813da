import type { Redis } from 'ioredis';

/** One measurement. */
export interface Measured {
  /** Operations per second. */
  readonly rate: number;
  /** CPU microseconds per operation: this process and Redis together. Does not depend on what else the machine does, or only little. */
  readonly cpu: number;
}

/** Measures `count` operations. */
export async function measure(redis: Redis, count: number, work: () => Promise<void>): Promise<Measured> {
  const storeBefore = await storeCpu(redis);
  const nodeBefore = process.cpuUsage();
  const from = performance.now();
  await work();
  const seconds = (performance.now() - from) / 1_000;
  const { user, system } = process.cpuUsage(nodeBefore);
  const store = (await storeCpu(redis)) - storeBefore;
  return { rate: count / seconds, cpu: (user + system + store) / count };
}

/** CPU microseconds that Redis has used. */
async function storeCpu(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (field: string): number => Number(new RegExp(`${field}:([\\d.]+)`).exec(info)?.[1] ?? 0);
  return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The value below which `share` of the values lie. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
