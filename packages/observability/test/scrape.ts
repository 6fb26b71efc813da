import type { Observability } from '../src/index.ts';

/** What `/metrics`, or another path, answers to a scraper that accepts this type. */
export async function scrape(obs: Observability, accept = 'text/plain', path = '/metrics'): Promise<string> {
  const response = await obs.fetchHandler(new Request(`http://localhost${path}`, { headers: { accept } }));
  return response.text();
}
