import { parseArgs } from 'node:util';
import { inProcess } from './in-process.ts';
import { postgresTx } from './postgres-tx.ts';
import { redisPair } from './redis-pair.ts';
import type { Bench, Result } from './result.ts';
import { storms } from './storms.ts';
import { zombies } from './zombies.ts';

const benches: readonly Bench[] = [inProcess, redisPair, postgresTx, storms, zombies];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
  },
});
const wanted = values.only?.split(',');
const selected = (metric: string): boolean =>
  wanted === undefined || wanted.some((prefix) => metric.startsWith(prefix));
const results: Result[] = [];
for (const bench of benches) {
  if (!bench.metrics.some((metric) => selected(metric) || wanted?.some((prefix) => prefix.startsWith(metric))))
    continue;
  results.push(...(await bench.run({ quick: values.quick }, selected)).filter(({ metric }) => selected(metric)));
}
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
