import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Result } from './common.ts';
import { measureAll } from './measure.ts';

// npm run bench -w @millrace/workspace -- [--quick] [--only <prefix,…>] [--json] [--save <file>]
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string' },
    save: { type: 'string' },
  },
});

function row({ metric, ours, peer, peerName, unit, ratio }: Result): string {
  const peerText = peer === null ? '' : ` vs ${peer.toFixed(1)} (${peerName})`;
  const ratioText = ratio === null ? '' : `  = ${(ratio * 100).toFixed(2)} %`;
  return `${metric.padEnd(28)} ${ours.toFixed(1)} ${unit}${peerText}${ratioText}`;
}

const results = await measureAll({
  quick: values.quick ?? false,
  only: values.only?.split(',') ?? [],
  report: (result) => process.stderr.write(`${row(result)}\n`),
});
const json = JSON.stringify(results);
if (values.save !== undefined) await writeFile(values.save, `${json.replaceAll('},{', '},\n{')}\n`);
if (values.json) process.stdout.write(`${json}\n`);
