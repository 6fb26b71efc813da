import { parseArgs } from 'node:util';
import { cardinality } from './cardinality.ts';
import { off, on } from './queue/queue.ts';
import { recording } from './recording.ts';
import type { Bench, Result } from './result.ts';
import { scrape } from './scrape.ts';

const benches: readonly Bench[] = [recording, scrape, cardinality, off, on];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const wanted = values.only?.split(',');
const results: Result[] = [];
for (const bench of benches) {
  const selected = (metric: string): boolean =>
    wanted === undefined || wanted.some((prefix) => metric.startsWith(prefix));
  if (!bench.metrics.some(selected)) continue;
  results.push(...(await bench.run({ quick: values.quick })).filter(({ metric }) => selected(metric)));
}
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
