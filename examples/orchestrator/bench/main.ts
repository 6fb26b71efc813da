import { writeFile } from 'node:fs/promises';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { github } from './github.ts';
import { posts } from './posts.ts';
import type { Bench, Result } from './result.ts';
import { runs } from './runs.ts';
import { streams } from './streams.ts';
import { webhooks } from './webhooks.ts';

// npm run bench -w @millrace/orchestrator -- [--quick] [--only <id prefix,…>] [--json] [--save <file>]
const benches: readonly Bench[] = [runs, posts, streams, github, webhooks];

const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    only: { type: 'string' },
    save: { type: 'string' },
  },
});
const wanted = values.only?.split(',');
const selected = (metric: string): boolean =>
  wanted === undefined || wanted.some((prefix) => metric.startsWith(prefix));
const note = (text: string): void => void process.stderr.write(`${text}\n`);
const results: Result[] = [];
for (const bench of benches) {
  if (!bench.metrics.some(selected)) continue;
  const measured = await bench.run({ quick: values.quick, note }, selected);
  results.push(...measured.filter(({ metric }) => selected(metric)));
}
if (values.save !== undefined) {
  const command = `npm run bench -w @millrace/orchestrator -- ${process.argv.slice(2).join(' ')}`;
  const machine = { node: process.version, cores: cpus().length, load: loadavg()[0]?.toFixed(2) };
  const date = new Date().toISOString();
  await writeFile(values.save, `${JSON.stringify({ command, date, machine, results }, undefined, 1)}\n`);
}
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
