import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A delivery as GitHub sent it once. */
export interface RecordedDelivery {
  readonly event: string;
  readonly payload: unknown;
}

/** Every delivery that GitHub's users have recorded: more than 300 of 58 events. */
export function recordedDeliveries(): readonly RecordedDelivery[] {
  const file = require.resolve('@octokit/webhooks-examples');
  const events: { name: string; examples: unknown[] }[] = JSON.parse(readFileSync(file, 'utf8'));
  return events.flatMap(({ name, examples }) => examples.map((payload) => ({ event: name, payload })));
}
