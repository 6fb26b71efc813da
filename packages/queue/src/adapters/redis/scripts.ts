import { createHash } from 'node:crypto';
import type { Argument, RedisClient } from './client.ts';
import { scripts } from './lua/index.ts';
import { isMissingScript } from './store-errors.ts';

/** Name of a script. */
export type ScriptName = keyof typeof scripts;

const hashes = new Map(
  Object.entries(scripts).map(([name, text]) => [name, createHash('sha1').update(text).digest('hex')] as const),
);

/** Runs a script by its hash; sends its text when the server does not have it (any more). */
export async function runScript(
  client: RedisClient,
  name: ScriptName,
  key: string,
  args: readonly Argument[],
): Promise<unknown> {
  // As one list, which ioredis flattens: a flow may have more arguments than a call in JavaScript can take.
  const list = [args] as unknown as readonly Argument[];
  try {
    return await client.evalsha(hashes.get(name) ?? '', 1, key, ...list);
  } catch (error) {
    if (!isMissingScript(error)) throw error;
    return client.eval(scripts[name], 1, key, ...list);
  }
}
