import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { generatedClient, generatedFile } from './generate.ts';

test('the types of the client are those of the API', async () => {
  const kept = await readFile(generatedFile, 'utf8');
  expect(kept === (await generatedClient()), 'run: npm run generate -w @millrace/orchestrator').toBe(true);
});
