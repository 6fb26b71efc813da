import { type Program, programOf } from '../debian.ts';

/** No Redis could be found or fetched; the message names the cures. */
export class RedisMissingError extends Error {
  readonly code = 'ERR_TEST_REDIS_MISSING' as const;
  override readonly name = 'RedisMissingError';
}

let program: Promise<Program> | undefined;

/**
 * Finds `redis-server` in the PATH, else fetches Debian's packages into the cache folder without installing them.
 * @throws RedisMissingError when neither works.
 */
export function redisProgram(): Promise<Program> {
  program ??= provision();
  return program;
}

async function provision(): Promise<Program> {
  try {
    return await programOf('redis-server');
  } catch (cause) {
    throw new RedisMissingError(
      'The tests need redis-server and it is not in the PATH, and it could not be fetched from Debian packages ' +
        `(${firstLine(cause)}). Do one of these: install it ("apt-get install redis-server", "brew install redis"); ` +
        'or start one ("docker run --rm -p 6379:6379 redis:7") and set REDIS_URL=redis://127.0.0.1:6379.',
      { cause },
    );
  }
}

function firstLine(error: unknown): string {
  const text = (error as { stderr?: string }).stderr || (error as Error).message;
  return text.trim().split('\n')[0] ?? '';
}
