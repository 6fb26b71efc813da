import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DemoError } from './origin.ts';

/** What the demo was asked to do. */
export interface DemoArguments {
  readonly repo: string;
  readonly command: string;
  readonly ref: string | undefined;
}

/** The checkout that this file belongs to. */
const thisCheckout = fileURLToPath(new URL('../../../../', import.meta.url));

/** Does something to see on any repository: reads all of it, and leaves a file that says what it found. */
const defaultCommand = `echo "Reading $(git ls-files | wc -l) files at $(git rev-parse --short HEAD)"
{
  echo "# Census"
  echo
  git ls-files | sed -n 's/.*\\.\\([A-Za-z0-9]*\\)$/\\1/p' | sort | uniq -c | sort -rn | head -20 |
    while read -r count ending; do echo "- $count files of .$ending"; sleep 0.1; echo "$count .$ending" >&2; done
} > CENSUS.md
echo "Wrote CENSUS.md ($(wc -l < CENSUS.md) lines)"`;

const usage = `Usage: npm run demo -- [--repo <path|url|bundle>] [--ref <branch|tag|commit>] [--command '<shell>']`;

/** @throws {DemoError} with the usage. */
export function readArguments(args: readonly string[]): DemoArguments {
  const text = { type: 'string' } as const;
  try {
    const { values } = parseArgs({ args: [...args], options: { repo: text, command: text, ref: text } });
    return { repo: values.repo ?? thisCheckout, command: values.command ?? defaultCommand, ref: values.ref };
  } catch (cause) {
    throw new DemoError(`${(cause as Error).message}\n${usage}`, { cause });
  }
}
