import { createHash } from 'node:crypto';
import { type GithubResource, type PrimaryLimit, primaryLimits, resourceOf } from './github-resources.ts';

/** GitHub's documented limits; each can be lowered to be reached in a test. */
export interface FakeGithubLimits {
  /** REST requests per hour. @default 5000 */
  readonly primary?: number;
  /** GraphQL points per hour. @default 5000 */
  readonly graphql?: number;
  /** Searches per minute. @default 30 */
  readonly search?: number;
  /** Code searches per minute. @default 10 */
  readonly codeSearch?: number;
  /** Points per minute of REST: a read costs 1, a write 5. @default 900 */
  readonly points?: number;
  /** Points per minute of GraphQL: a query costs 1, a mutation 5. @default 2000 */
  readonly graphqlPoints?: number;
  /** Writes that create content, per minute. @default 80 */
  readonly writesPerMinute?: number;
  /** Writes that create content, per hour. @default 500 */
  readonly writesPerHour?: number;
  /** Requests at once. @default 100 */
  readonly concurrent?: number;
}

const documented: Required<FakeGithubLimits> = {
  primary: 5_000,
  graphql: 5_000,
  search: 30,
  codeSearch: 10,
  points: 900,
  graphqlPoints: 2_000,
  writesPerMinute: 80,
  writesPerHour: 500,
  concurrent: 100,
};

/** What the fake GitHub has. */
export interface FakeGithubContent {
  /** What a GET answers. */
  readonly resource: (path: string) => unknown;
  /** What a GraphQL query answers, and the points that it costs. */
  readonly query: (query: string) => { readonly data: unknown; readonly points: number };
}

/** A request to the fake GitHub. */
export interface GithubRequest {
  readonly method: string;
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly ifNoneMatch: string | undefined;
}

/** An answer of the fake GitHub. */
export interface GithubAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** What a request costs. */
interface Price {
  readonly resource: GithubResource;
  readonly write: boolean;
  /** Of the primary limit. */
  readonly units: number;
}

const hour = 3_600_000;
const minute = 60_000;

/**
 * The part of GitHub that limits are about: primary limits per resource, secondary limits, ETags with free 304s, over REST and GraphQL.
 * https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api
 * https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
 */
export class FakeGithub {
  readonly #limits: Required<FakeGithubLimits>;
  readonly #now: () => number;
  readonly #content: FakeGithubContent;
  readonly #primary: Record<GithubResource, PrimaryLimit>;
  #created = 0;
  #spent: { at: number; points: number; write: boolean; graphql: boolean }[] = [];
  inFlight = 0;

  constructor(limits: FakeGithubLimits, now: () => number, content: FakeGithubContent) {
    this.#limits = { ...documented, ...limits };
    this.#now = now;
    this.#content = content;
    this.#primary = primaryLimits(this.#limits, now);
  }

  answer(request: GithubRequest): GithubAnswer {
    const resource = resourceOf(request.path);
    return resource === 'graphql' ? this.#graphql(request) : this.#rest(request, resource);
  }

  #rest({ method, path, body, ifNoneMatch }: GithubRequest, resource: GithubResource): GithubAnswer {
    const write = method !== 'GET' && method !== 'HEAD';
    const content = write ? this.#create(body) : this.#content.resource(path);
    const etag = `"${createHash('sha1').update(JSON.stringify(content)).digest('hex')}"`;
    const unchanged = !write && ifNoneMatch !== undefined && ifNoneMatch.replace(/^W\//, '') === etag;
    const refused = this.#refuse({ resource, write, units: unchanged ? 0 : 1 });
    if (refused !== undefined) return refused;
    const headers = this.#primary[resource].headers();
    if (unchanged) return { status: 304, headers: { ...headers, etag }, body: undefined };
    return { status: write ? 201 : 200, headers: write ? headers : { ...headers, etag }, body: content };
  }

  #graphql({ body }: GithubRequest): GithubAnswer {
    const query = String(body.query);
    const { data, points } = this.#content.query(query);
    const refused = this.#refuse({ resource: 'graphql', write: /\bmutation\b/.test(query), units: points });
    return refused ?? { status: 200, headers: this.#primary.graphql.headers(), body: { data } };
  }

  #create(body: Readonly<Record<string, unknown>>): unknown {
    this.#created += 1;
    return { id: this.#created, number: this.#created, ...body };
  }

  #refuse({ resource, write, units }: Price): GithubAnswer | undefined {
    const primary = this.#primary[resource];
    if (this.inFlight > this.#limits.concurrent) return this.#secondary(primary);
    if (primary.exhausted && units > 0) return exhausted(resource, primary);
    const graphql = resource === 'graphql';
    const points = write ? 5 : 1;
    if (this.#isOverSecondary(points, write, graphql)) return this.#secondary(primary);
    primary.take(units);
    this.#spent.push({ at: this.#now(), points, write, graphql });
    return undefined;
  }

  #isOverSecondary(points: number, write: boolean, graphql: boolean): boolean {
    const now = this.#now();
    this.#spent = this.#spent.filter(({ at }) => at > now - hour);
    const lastMinute = this.#spent.filter(({ at }) => at > now - minute);
    const used = lastMinute.filter((spent) => spent.graphql === graphql).reduce((sum, spent) => sum + spent.points, 0);
    if (used + points > (graphql ? this.#limits.graphqlPoints : this.#limits.points)) return true;
    const writes = (spent: readonly { write: boolean }[]): number => spent.filter((one) => one.write).length;
    return (
      write && (writes(lastMinute) >= this.#limits.writesPerMinute || writes(this.#spent) >= this.#limits.writesPerHour)
    );
  }

  #secondary(primary: PrimaryLimit): GithubAnswer {
    const message = 'You have exceeded a secondary rate limit. Please wait a few minutes before you try again.';
    return { status: 403, headers: { ...primary.headers(), 'retry-after': '60' }, body: { message } };
  }
}

/** GraphQL refuses with a 200, and the body tells. */
function exhausted(resource: GithubResource, primary: PrimaryLimit): GithubAnswer {
  const message = 'API rate limit exceeded for installation.';
  if (resource !== 'graphql') return { status: 403, headers: primary.headers(), body: { message } };
  return { status: 200, headers: primary.headers(), body: { errors: [{ type: 'RATE_LIMITED', message }] } };
}
