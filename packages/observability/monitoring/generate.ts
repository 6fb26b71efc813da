// Writes the rule file, the dashboards, and the pages that are made from the tables of this folder and the catalogue.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { generatedFiles } from './files.ts';

const root = join(import.meta.dirname, '..', '..', '..');
for (const [path, text] of generatedFiles()) {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}
process.stdout.write(`${generatedFiles().size} files written\n`);
