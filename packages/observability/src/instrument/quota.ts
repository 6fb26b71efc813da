/** What a provider says about one of its quotas. */
export interface QuotaReading {
  readonly resource: string;
  readonly remaining: number | undefined;
  readonly limit: number | undefined;
}

/** Answers a header's value or null, as Fetch `Headers` do. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** Prefix and suffix around the resource's name: Anthropic, OpenAI, and GitHub's and the IETF draft's single quota. */
const shapes: readonly {
  readonly resources: readonly string[];
  readonly header: (resource: string, what: string) => string;
}[] = [
  {
    resources: ['requests', 'tokens', 'input-tokens', 'output-tokens'],
    header: (resource, what) => `anthropic-ratelimit-${resource}-${what}`,
  },
  { resources: ['requests', 'tokens'], header: (resource, what) => `x-ratelimit-${what}-${resource}` },
  { resources: [''], header: (_resource, what) => `x-ratelimit-${what}` },
];

/** Reads the quota headers of Anthropic, OpenAI and GitHub. */
export function readQuotas(headers: HeaderReader): QuotaReading[] {
  const readings: QuotaReading[] = [];
  for (const { resources, header } of shapes) {
    for (const resource of resources) {
      const remaining = numberOf(headers.get(header(resource, 'remaining')));
      const limit = numberOf(headers.get(header(resource, 'limit')));
      if (remaining === undefined && limit === undefined) continue;
      readings.push({ resource: resource || (headers.get('x-ratelimit-resource') ?? 'requests'), remaining, limit });
    }
  }
  return readings;
}

/** The headers of a Fetch response; undefined for anything else. */
export function headersOf(result: unknown): HeaderReader | undefined {
  if (typeof result !== 'object' || result === null) return undefined;
  const { headers } = result as { readonly headers?: { readonly get?: unknown } };
  return typeof headers?.get === 'function' ? (headers as HeaderReader) : undefined;
}

function numberOf(text: string | null): number | undefined {
  if (text === null || text.trim() === '') return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}
