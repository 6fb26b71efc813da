import { startRedis } from '@millrace/test-support';
import { Redis } from 'ioredis';
import { type StoreSample, soakStore } from '../shared/soak.ts';

/** The soak on Redis. @returns whether every job was done */
export async function soak(total: number): Promise<boolean> {
  await using server = await startRedis({ own: true, args: ['--appendonly', 'yes', '--appendfsync', 'everysec'] });
  const redis = new Redis(server.url);
  const whole = await soakStore(server.url, total, () => look(redis));
  redis.disconnect();
  return whole;
}

async function look(redis: Redis): Promise<StoreSample> {
  const info = await redis.info();
  const field = (name: string): number => Number(new RegExp(`${name}:(\\d+)`).exec(info)?.[1] ?? 0);
  return { redisMb: Math.round(field('used_memory') / 1e5) / 10, connections: field('connected_clients') };
}
