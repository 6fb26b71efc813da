import type { FakeGithubLimits } from './github.ts';

/** The resources that GitHub counts apart, each with a window of its own. */
export type GithubResource = 'core' | 'search' | 'code_search' | 'graphql';

/** Which resource a request counts against. */
export function resourceOf(path: string): GithubResource {
  const [name = ''] = path.split('?');
  if (name.endsWith('/graphql')) return 'graphql';
  if (name.endsWith('/search/code')) return 'code_search';
  return /\/search\/[a-z]+$/.test(name) ? 'search' : 'core';
}

/** The primary limit of one resource: a fixed window that begins with its first request. */
export class PrimaryLimit {
  readonly #resource: GithubResource;
  readonly #limit: number;
  readonly #windowMs: number;
  readonly #now: () => number;
  #startedAt: number;
  #used = 0;

  constructor(resource: GithubResource, limit: number, windowMs: number, now: () => number) {
    this.#resource = resource;
    this.#limit = limit;
    this.#windowMs = windowMs;
    this.#now = now;
    this.#startedAt = now();
  }

  /** Whether nothing is left; a query may cost more than what is left, as GitHub lets the last one through. */
  get exhausted(): boolean {
    if (this.#now() - this.#startedAt >= this.#windowMs) {
      this.#startedAt = this.#now();
      this.#used = 0;
    }
    return this.#used >= this.#limit;
  }

  take(units: number): void {
    this.#used += units;
  }

  headers(): Record<string, string> {
    return {
      'x-ratelimit-limit': String(this.#limit),
      'x-ratelimit-remaining': String(Math.max(0, this.#limit - this.#used)),
      'x-ratelimit-used': String(this.#used),
      'x-ratelimit-reset': String(Math.ceil((this.#startedAt + this.#windowMs) / 1000)),
      'x-ratelimit-resource': this.#resource,
    };
  }
}

/** The primary limits of an account. */
export function primaryLimits(
  limits: Required<FakeGithubLimits>,
  now: () => number,
): Record<GithubResource, PrimaryLimit> {
  return {
    core: new PrimaryLimit('core', limits.primary, 3_600_000, now),
    graphql: new PrimaryLimit('graphql', limits.graphql, 3_600_000, now),
    search: new PrimaryLimit('search', limits.search, 60_000, now),
    code_search: new PrimaryLimit('code_search', limits.codeSearch, 60_000, now),
  };
}
