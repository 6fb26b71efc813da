import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Bench, Result } from './result.ts';

// npm run bench -w @millrace/queue -- [--quick] [--json] [--save] [--only <id prefix,…>]
// npm run bench -w @millrace/queue -- --soak [--jobs <number>] [--only <store>]
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    save: { type: 'boolean', default: false },
    only: { type: 'string', default: '' },
    soak: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '5000000' },
  },
});

/** Each store brings a folder with an index that exports lists of benches; the first part of a metric's id is its store. */
const stores = ['memory', 'sqlite', 'redis', 'postgres'].filter((store) =>
  existsSync(join(import.meta.dirname, store, 'index.ts')),
);
const prefixes = values.only.split(',');
const isWanted = (metric: string): boolean => prefixes.some((prefix) => metric.startsWith(prefix));

async function benchesOf(store: string): Promise<Bench[]> {
  const module = (await import(`./${store}/index.ts`)) as Record<string, readonly Bench[]>;
  return Object.values(module).flat();
}

async function soakAll(): Promise<boolean> {
  let whole = true;
  for (const store of stores) {
    if (!store.startsWith(values.only) || !existsSync(join(import.meta.dirname, store, 'soak.ts'))) continue;
    const { soak } = (await import(`./${store}/soak.ts`)) as { soak: (jobs: number) => Promise<boolean> };
    whole = (await soak(Number(values.jobs))) && whole;
  }
  return whole;
}

if (values.soak) process.exit((await soakAll()) ? 0 : 1);

const results: Result[] = [];
for (const store of stores) {
  if (!prefixes.some((prefix) => store.startsWith(prefix) || prefix.startsWith(store))) continue;
  for (const bench of await benchesOf(store)) {
    if (!bench.metrics.some(isWanted)) continue;
    results.push(...(await bench.run({ quick: values.quick })).filter(({ metric }) => isWanted(metric)));
  }
}
if (values.save) {
  const folder = join(import.meta.dirname, 'results');
  mkdirSync(folder, { recursive: true });
  const command = `npm run bench -w @millrace/queue -- ${process.argv.slice(2).join(' ')}`;
  // Of the last minute: much more than 1 means that others worked beside the bench.
  const machine = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0] };
  const name = `${new Date().toISOString().slice(0, 10)}-${values.only.replaceAll(/[^\w.]+/g, '-') || 'all'}.json`;
  writeFileSync(join(folder, name), `${JSON.stringify({ command, machine, results }, null, 2)}\n`);
}
if (values.json) console.log(JSON.stringify(results));
else console.table(results);
process.exit(0);
