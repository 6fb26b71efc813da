import { createHash } from 'node:crypto';

/** GitHub's documented limits; each can be lowered to be reached in a test. */
export interface FakeGithubLimits {
  /** Requests per hour. @default 5000 */
  readonly primary?: number;
  /** Points per minute: a GET costs 1, a write 5. @default 900 */
  readonly points?: number;
  /** Writes that create content, per minute. @default 80 */
  readonly writesPerMinute?: number;
  /** Writes that create content, per hour. @default 500 */
  readonly writesPerHour?: number;
  /** Requests at once. @default 100 */
  readonly concurrent?: number;
}

/** An answer of the fake GitHub. */
export interface GithubAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

const hour = 3_600_000;
const minute = 60_000;

/**
 * The part of GitHub's REST interface that limits are about: primary and secondary limits with their answers, ETags with free 304s.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 */
export class FakeGithub {
  readonly #limits: Required<FakeGithubLimits>;
  readonly #now: () => number;
  readonly #resources: (path: string) => unknown;
  #windowStart: number;
  #used = 0;
  #spent: { at: number; points: number; write: boolean }[] = [];
  inFlight = 0;

  constructor(limits: FakeGithubLimits, now: () => number, resources: (path: string) => unknown) {
    this.#limits = { primary: 5_000, points: 900, writesPerMinute: 80, writesPerHour: 500, concurrent: 100, ...limits };
    this.#now = now;
    this.#resources = resources;
    this.#windowStart = now();
  }

  answer(method: string, path: string, body: unknown, ifNoneMatch: string | undefined): GithubAnswer {
    const write = method !== 'GET' && method !== 'HEAD';
    const resource = write
      ? { id: this.#used + 1, number: this.#used + 1, ...(body as object) }
      : this.#resources(path);
    const etag = `"${createHash('sha1').update(JSON.stringify(resource)).digest('hex')}"`;
    const unchanged = !write && ifNoneMatch !== undefined && ifNoneMatch.replace(/^W\//, '') === etag;
    const refused = this.#refuse(write, unchanged);
    if (refused !== undefined) return refused;
    if (unchanged) return { status: 304, headers: { ...this.#headers(), etag }, body: undefined };
    return { status: write ? 201 : 200, headers: { ...this.#headers(), ...(write ? {} : { etag }) }, body: resource };
  }

  #refuse(write: boolean, free: boolean): GithubAnswer | undefined {
    const now = this.#now();
    if (now - this.#windowStart >= hour) {
      this.#windowStart = now;
      this.#used = 0;
    }
    if (this.inFlight > this.#limits.concurrent) return this.#secondary();
    if (!free && this.#used >= this.#limits.primary) return this.#primary();
    this.#spent = this.#spent.filter(({ at }) => at > now - hour);
    const lastMinute = this.#spent.filter(({ at }) => at > now - minute);
    const points = lastMinute.reduce((sum, spent) => sum + spent.points, 0) + (write ? 5 : 1);
    const writes = lastMinute.filter((spent) => spent.write).length;
    const writesPerHour = this.#spent.filter((spent) => spent.write).length;
    const overWrites = write && (writes >= this.#limits.writesPerMinute || writesPerHour >= this.#limits.writesPerHour);
    if (points > this.#limits.points || overWrites) return this.#secondary();
    if (!free) this.#used += 1;
    this.#spent.push({ at: now, points: write ? 5 : 1, write });
    return undefined;
  }

  #primary(): GithubAnswer {
    return { status: 403, headers: this.#headers(), body: { message: 'API rate limit exceeded for installation.' } };
  }

  #secondary(): GithubAnswer {
    const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
    return { status: 403, headers: { ...this.#headers(), 'retry-after': '60' }, body: { message } };
  }

  #headers(): Record<string, string> {
    const reset = Math.ceil((this.#windowStart + hour) / 1000);
    return {
      'x-ratelimit-limit': String(this.#limits.primary),
      'x-ratelimit-remaining': String(Math.max(0, this.#limits.primary - this.#used)),
      'x-ratelimit-used': String(this.#used),
      'x-ratelimit-reset': String(reset),
      'x-ratelimit-resource': 'core',
    };
  }
}
