import { realpath } from 'node:fs/promises';
import { isAbsolute, join, normalize, relative, sep } from 'node:path';
import { z } from '@hono/zod-openapi';
import { RunFailure } from '../runs/errors.ts';

/** The `params.code` of a path that leaves the workspace, so that the API can answer with its own code. */
export const outsideWorkspace = 'ERR_PATH_OUTSIDE_WORKSPACE';

/** A relative path that stays inside the workspace, as far as its text tells. */
export const workspacePath: z.ZodType<string> = z
  .string()
  .min(1)
  .max(4096)
  .superRefine((value, context) => {
    if (!staysInside(value)) {
      context.addIssue({
        code: 'custom',
        message: 'must be a relative path inside the workspace',
        params: { code: outsideWorkspace },
      });
    }
  });

function staysInside(path: string): boolean {
  return !isAbsolute(path) && !path.includes('\0') && !isOutside(normalize(path));
}

function isOutside(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path);
}

/**
 * The folder of the workspace that a path means, symbolic links followed: a repository can carry a link that points
 * anywhere.
 * @throws {RunFailure} when it does not exist or lies outside.
 */
export async function resolveInside(root: string, path = '.'): Promise<string> {
  const base = await realpath(root);
  const target = await realpath(join(base, path)).catch((cause: unknown) => {
    throw new RunFailure('ERR_DIRECTORY_NOT_FOUND', `The directory ${path} does not exist in the repository.`, {
      cause,
    });
  });
  if (isOutside(relative(base, target))) {
    throw new RunFailure(outsideWorkspace, `The directory ${path} leads out of the workspace.`);
  }
  return target;
}
