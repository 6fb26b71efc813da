import { parseArgs } from 'node:util';
import { redisBenches } from './index.ts';
import type { Result } from './result.ts';

// The Redis part alone: node --conditions=@millrace/source --import tsx bench/redis/main.ts [--quick] [--json] [--only id,…]
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string', default: 'redis' },
  },
});
const wanted = values.only.split(',');
const isWanted = (metric: string): boolean => wanted.some((prefix) => metric.startsWith(prefix));
const results: Result[] = [];
for (const bench of redisBenches) {
  if (!bench.metrics.some(isWanted)) continue;
  results.push(...(await bench.run({ quick: values.quick })).filter(({ metric }) => isWanted(metric)));
}
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
