import { createHash } from 'node:crypto';
import { Ratelimit } from '@upstash/ratelimit';
import type { Redis } from 'ioredis';

/**
 * @upstash/ratelimit on a plain Redis. Its scripts start with a flag that only Upstash's servers know, and its client speaks HTTP;
 * this stands in for the client and leaves the first line of the scripts out.
 */
export function upstashLimit(redis: Redis, prefix: string, tokens: number, window: '1 s' | '60 s'): Ratelimit {
  const plain = new Map<string, string>();
  const client = {
    evalsha: (sha: string, keys: string[], args: unknown[]) => {
      const known = plain.get(sha);
      if (known === undefined) return Promise.reject(new Error('NOSCRIPT No matching script.'));
      return redis.evalsha(known, keys.length, ...keys, ...args.map(String));
    },
    eval: async (script: string, keys: string[], args: unknown[]) => {
      const source = script.trim().replace(/^#!.*\n/, '');
      const answer = await redis.eval(source, keys.length, ...keys, ...args.map(String));
      const theirs = [script, script.trim()].map((text) => createHash('sha1').update(text).digest('hex'));
      for (const sha of theirs) plain.set(sha, createHash('sha1').update(source).digest('hex'));
      return answer;
    },
  };
  const limiter = Ratelimit.slidingWindow(tokens, window);
  return new Ratelimit({ redis: client as never, limiter, prefix, ephemeralCache: false, analytics: false });
}
