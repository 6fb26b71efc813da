import { ApiError } from './problem.ts';

/** How many event streams a tenant may hold open in this process. */
export interface StreamPlaces {
  /** Takes a place; call what it returns when the stream has ended, any number of times. @throws {ApiError} 429 */
  enter(tenantId: string): () => void;
}

export function streamPlaces(limit: number): StreamPlaces {
  const open = new Map<string, number>();
  return {
    enter(tenantId) {
      const count = open.get(tenantId) ?? 0;
      if (count >= limit) {
        const detail = `The tenant has ${limit} event streams open on this server (API_STREAMS); close some.`;
        throw new ApiError(429, 'ERR_TOO_MANY_STREAMS', detail, { retryAfter: 5000 });
      }
      open.set(tenantId, count + 1);
      let left = false;
      return () => {
        if (left) return;
        left = true;
        const rest = (open.get(tenantId) ?? 1) - 1;
        if (rest === 0) open.delete(tenantId);
        else open.set(tenantId, rest);
      };
    },
  };
}
