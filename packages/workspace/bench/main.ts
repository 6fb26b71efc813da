import { readFile, writeFile } from 'node:fs/promises';
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

/** Results of an earlier run stay, as far as this one did not measure them anew. */
async function save(file: string, results: readonly Result[]): Promise<void> {
  const text = await readFile(file, 'utf8').catch(() => '[]');
  const measured = new Set(results.map(({ metric }) => metric));
  const earlier = (JSON.parse(text) as Result[]).filter(({ metric }) => !measured.has(metric));
  const lines = [...earlier, ...results].map((result) => JSON.stringify(result));
  await writeFile(file, `[${lines.join(',\n')}]\n`);
}

const results = await measureAll({
  quick: values.quick ?? false,
  media: mediaOf(values.medium, values.quick ?? false),
  only: values.only?.split(',') ?? [],
  report: (result) => process.stderr.write(`${row(result)}\n`),
});
if (values.save !== undefined) await save(values.save, results);
if (values.json) process.stdout.write(`${JSON.stringify(results)}\n`);
