import { learnedEstimate } from '../estimate.ts';
import type { LimitOptions } from '../limit-table.ts';

/**
 * Limits per minute as providers of language models keep them: token buckets, refilled continuously.
 * A little below the provider's own, because what we admit arrives there with the network's jitter.
 */
export function perMinute(units: Readonly<Record<string, number>>): LimitOptions[] {
  return Object.entries(units).map(([name, limit]) => ({
    name,
    dimension: name,
    limit: Math.max(1, Math.floor(limit * headroom)),
    burst: Math.max(1, Math.floor(limit * burstShare)),
    per: 60_000,
    mode: 'mirror',
    ...(name === 'output' ? { estimate: learnedEstimate() } : {}),
  }));
}

const headroom = 0.97;
const burstShare = 0.5;
