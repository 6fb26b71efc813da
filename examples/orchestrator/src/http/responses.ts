import type { z } from '@hono/zod-openapi';
import { problem } from './schemas.ts';

/** The content of a response or request in JSON. */
export const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

/** A response that is a problem document. */
export const problems = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problem } },
});
