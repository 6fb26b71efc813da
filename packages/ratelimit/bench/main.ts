import { parseArgs } from 'node:util';
import { budgets } from './budget.ts';
import { fleet } from './fleet.ts';
import { line } from './line.ts';
import { local } from './local.ts';
import { outages } from './outage.ts';
import { redis } from './redis.ts';
import type { Bench, Result } from './result.ts';
import { wait } from './wait.ts';
import { window } from './window.ts';

const benches: readonly Bench[] = [local, line, redis, wait, window, fleet, budgets, outages];

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
