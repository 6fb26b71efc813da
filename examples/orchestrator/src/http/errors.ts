import type { z } from 'zod';
import { outsideWorkspace } from '../agents/path.ts';
import { agentNames } from '../agents/registry.ts';
import { ApiError } from './problem.ts';

/** What the schema found wrong, as the API's problem: two mistakes have codes of their own. */
export function invalidRequest(target: string, error: Pick<z.ZodError, 'issues'>): ApiError {
  const issues = error.issues.map((issue) => ({ path: issue.path.map(String).join('.'), message: issue.message }));
  const first = issues[0];
  const detail = first ? `${first.path || target}: ${first.message}` : `The ${target} is not valid.`;
  for (const issue of error.issues) {
    if (issue.code === 'invalid_union' && issue.path.join('.') === 'agent.type') {
      return new ApiError(
        422,
        'ERR_UNKNOWN_AGENT',
        `There is no such agent; agent.type is one of: ${agentNames.join(', ')}.`,
      );
    }
    if (issue.code === 'custom' && issue.params?.code === outsideWorkspace) {
      return new ApiError(422, outsideWorkspace, `${issue.path.join('.')} ${issue.message}.`);
    }
  }
  return new ApiError(422, 'ERR_INVALID_REQUEST', detail, { members: { issues } });
}

/** Any error as a problem: what is not meant for the client becomes a 500 that tells nothing. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(500, 'ERR_INTERNAL', 'Something failed on our side; send the request again with the same key.', {
    cause: error,
  });
}
