import { existsSync, readFileSync, writeFileSync } from 'node:fs';
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

/** Each result is saved as it comes; those of an earlier run stay, as far as this one does not measure them anew. */
function save(file: string, result: Result): void {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '[]';
  const others = (JSON.parse(text) as Result[]).filter(({ metric }) => metric !== result.metric);
  const lines = [...others, result].map((one) => JSON.stringify(one));
  writeFileSync(file, `[${lines.join(',\n')}]\n`);
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
