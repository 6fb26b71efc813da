import { memoryRelay } from './memory.ts';
import type { Relay } from './relay.ts';

/** The relay of a URL. A client library is loaded only by who uses it. */
export async function openRelay(url: string, onError: (error: unknown) => void): Promise<Relay> {
  if (url.startsWith('memory:')) return memoryRelay();
  if (/^(nats|tls):/.test(url)) return (await import('./nats.ts')).natsRelay(url, onError);
  const { redisRelay } = await import('./redis.ts');
  return redisRelay(url, onError);
}
