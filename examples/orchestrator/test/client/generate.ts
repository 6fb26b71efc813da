import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { describeApi } from '../../src/http/app.ts';

/** Where the client's types are kept; a test compares them with the API. */
export const generatedFile: string = fileURLToPath(new URL('../../src/client/api.generated.ts', import.meta.url));

/** The types of the API, generated from its own document. */
export async function generatedClient(): Promise<string> {
  const document = JSON.parse(JSON.stringify(describeApi())) as OpenAPI3;
  const types = astToString(await openapiTS(document, { defaultNonNullable: false }));
  return `// Made by \`npm run generate -w @millrace/orchestrator\` from the API's document. Do not edit.\n\n${types}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await writeFile(generatedFile, await generatedClient());
