import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What each example has to print. */
const expected: Readonly<Record<string, readonly string[]>> = {
  'budgeted-agent.ts': ['call 1: HTTP 200', 'call 4: The budget "tenant:acme/'],
  'policies.ts': [
    'rateLimit: ERR_RATE_LIMITED',
    'retry: answered',
    'timeout: ERR_TIMEOUT',
    'circuitBreaker: ERR_CIRCUIT_OPEN',
    'bulkhead: took 20 ms ERR_BULKHEAD_FULL',
    'budget: paid ERR_BUDGET_EXCEEDED',
    'responseCache: a channel',
    'hedge: took 5 ms',
    'fallback: answered by small',
    'admission: took 20 ms, ERR_ADMISSION_REFUSED',
  ],
  'anthropic.ts': ['Hello!', 'streamed', "[ 'production/claude-sonnet-4-5' ]"],
  'openai.ts': ['Hello!', 'out of money:', 'true'],
  'gemini.ts': ['Hello!', "[ [ 'requests', 'input' ] ]"],
  'github.ts': ['remaining 4999', "[ 'writeSpacing' ]", '[ 201, 201 ]'],
};

it.each(Object.keys(expected))('runs examples/ratelimit/%s', async (file) => {
  const args = ['--conditions=@millrace/source', '--import', 'tsx', `examples/ratelimit/${file}`];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root });
  for (const text of expected[file] ?? []) expect(stdout).toContain(text);
});

it('knows every example', () => {
  const files = readdirSync(new URL('../../../examples/ratelimit', import.meta.url)).filter((name) =>
    name.endsWith('.ts'),
  );
  expect(files.sort()).toEqual(Object.keys(expected).sort());
});
