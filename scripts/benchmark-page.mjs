// Prints docs/benchmarks.md from the committed results of every package: node scripts/benchmark-page.mjs > docs/benchmarks.md
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const measured = [
  ...['queue', 'ratelimit', 'workspace', 'idempotency', 'observability'].map((name) => `packages/${name}`),
  'examples/orchestrator',
];

const introduction = `# Benchmarks

Every figure of the committed results files, as it was measured, the good and the bad ones. This page is made from them by
\`node scripts/benchmark-page.mjs > docs/benchmarks.md\`; a test keeps it in step.

Each bench runs its peers in the same run, interleaved, and prints medians: \`npm run bench -w @millrace/<package> -- --quick\`
for a look, \`--only <id prefix,…>\` for a part, \`--json\` for the lines below. None of it runs in \`npm test\`.

Read the **ratio**, not the rates: these came from machines with two shared cores, and each file says what else ran. It is
ours against the peer in the way that matters for the metric: times as fast for throughput, the share of the peer's time or
bytes for costs. A package's guide says what limits the figures that fall short.
`;

/** Four significant digits; a rate has no fraction. */
function figure(value) {
  if (value === null || value === undefined) return '–';
  const rounded = Math.abs(value) >= 1000 ? Math.round(value) : Number(value.toPrecision(4));
  return String(rounded);
}

function conditions({ command, commands = [command], machine, date }) {
  const told =
    typeof machine === 'object' ? `node ${machine.node}, ${machine.cores} cores, load ${machine.load}` : machine;
  return [
    ...commands.filter((text) => text !== undefined).map((text) => `- \`${text}\``),
    ...[date, told].filter((text) => text !== undefined).map((text) => `- ${text}`),
  ];
}

function section(folder, file) {
  const content = JSON.parse(readFileSync(join(root, folder, 'bench', 'results', file), 'utf8'));
  const { results, ...about } = Array.isArray(content) ? { results: content } : content;
  const rows = results.map(
    ({ metric, ours, peer, peerName, unit, ratio }) =>
      `| ${metric} | ${figure(ours)} | ${figure(peer)} | ${figure(ratio)} | ${unit} | ${peerName ?? '–'} |`,
  );
  return [
    `### [${file}](../${folder}/bench/results/${file})`,
    '',
    ...conditions(about),
    '',
    '| metric | ours | peer | ratio | unit | peer is |',
    '| --- | ---: | ---: | ---: | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

const sections = measured.map((folder) => {
  const files = readdirSync(join(root, folder, 'bench', 'results')).filter((file) => file.endsWith('.json'));
  return [
    `## ${basename(folder)}`,
    '',
    ...files
      .sort()
      .reverse()
      .map((file) => section(folder, file)),
  ].join('\n');
});
process.stdout.write(`${[introduction, ...sections].join('\n').trimEnd()}\n`);
