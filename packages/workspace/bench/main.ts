import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import type { Result } from './common.ts';
import { measureAll } from './measure.ts';

// npm run bench -w @millrace/workspace -- [--quick] [--only <prefix,…>] [--medium tmpfs|disk] [--json] [--save <file>]
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string' },
    medium: { type: 'string' },
    save: { type: 'string' },
  },
});

function row({ metric, ours, peer, peerName, unit, ratio }: Result): string {
  const peerText = peer === null ? '' : ` vs ${peer.toFixed(1)} (${peerName})`;
  const ratioText = ratio === null ? '' : `  = ${(ratio * 100).toFixed(2)} %`;
  return `${metric.padEnd(28)} ${ours.toFixed(1)} ${unit}${peerText}${ratioText}`;
}

function mediaOf(medium: string | undefined, quick: boolean): readonly ('tmpfs' | 'disk')[] {
  if (medium === 'tmpfs' || medium === 'disk') return [medium];
  return quick ? ['tmpfs'] : ['tmpfs', 'disk'];
}

/** A results file: what was measured, how and on what. */
interface Saved {
  readonly commands: readonly string[];
  readonly date: string;
  readonly machine: { readonly node: string; readonly cores: number; readonly load: string };
  readonly results: readonly Result[];
}

function readSaved(file: string): Partial<Saved> {
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Partial<Saved>) : {};
}

/** Each result is saved as it comes; those of an earlier run stay, as far as this one does not measure them anew. */
function save(file: string, result: Result): void {
  const { commands = [], results = [] } = readSaved(file);
  const command = `npm run bench -w @millrace/workspace -- ${process.argv.slice(2, process.argv.indexOf('--save')).join(' ')}`;
  const about = {
    commands: [...new Set([...commands, command.trimEnd()])],
    date: new Date().toISOString().slice(0, 10),
    machine: { node: process.version, cores: availableParallelism(), load: loadavg()[0]?.toFixed(1) ?? '' },
  };
  const lines = [...results.filter(({ metric }) => metric !== result.metric), result].map((one) => JSON.stringify(one));
  const [head] = JSON.stringify(about).split(/}$/);
  writeFileSync(file, `${head},"results":[\n${lines.join(',\n')}\n]}\n`);
}

const results = await measureAll({
  quick: values.quick ?? false,
  media: mediaOf(values.medium, values.quick ?? false),
  only: values.only?.split(',') ?? [],
  report: (result) => {
    process.stderr.write(`${row(result)}\n`);
    if (values.save !== undefined) save(values.save, result);
  },
});
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
