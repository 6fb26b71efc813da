import type { Octokit } from '@octokit/core';

/** A delivery as GitHub's log of a hook shows it. */
export interface HookDelivery {
  /** Grows with every attempt. */
  readonly id: number;
  /** `X-GitHub-Delivery`, the same for every attempt. */
  readonly guid: string;
  readonly ok: boolean;
}

/** GitHub's log of what it sent to a hook. */
export interface HookLog {
  /** What names the hook in our tables. */
  readonly hook: string;
  /** Attempts that are newer than one, newest first. */
  since(id: number, signal: AbortSignal): Promise<readonly HookDelivery[]>;
  redeliver(id: number, signal: AbortSignal): Promise<void>;
}

/** Pages read at most per sweep: 1,000 attempts. What is older was too long ago to be worth the calls. */
const maxPages = 10;

/** @param hook - `/app/hook`, `/repos/o/r/hooks/1` or `/orgs/o/hooks/1` */
export function hookLog(client: Octokit, hook: string): HookLog {
  return {
    hook,
    async since(id, signal) {
      const found: HookDelivery[] = [];
      let cursor: string | undefined;
      for (let page = 0; page < maxPages; page += 1) {
        const query = { per_page: 100, ...(cursor && { cursor }), request: { signal } };
        const { data, headers } = await client.request(`GET ${hook}/deliveries`, query);
        const fresh = (data as readonly RawDelivery[]).filter((delivery) => delivery.id > id);
        found.push(...fresh.map(viewOf));
        cursor = nextCursor(headers.link);
        if (fresh.length < (data as readonly unknown[]).length || cursor === undefined) break;
      }
      return found;
    },
    async redeliver(id, signal) {
      await client.request(`POST ${hook}/deliveries/${id}/attempts`, { request: { signal } });
    },
  };
}

interface RawDelivery {
  readonly id: number;
  readonly guid: string;
  readonly status_code: number;
}

function viewOf({ id, guid, status_code }: RawDelivery): HookDelivery {
  return { id, guid, ok: status_code >= 200 && status_code < 300 };
}

/** GitHub pages these lists by a cursor in the `Link` header. */
function nextCursor(link: string | undefined): string | undefined {
  const next = /<([^>]+)>;\s*rel="next"/.exec(link ?? '')?.[1];
  return next ? (new URL(next).searchParams.get('cursor') ?? undefined) : undefined;
}
