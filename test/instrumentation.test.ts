import type { IdempotencyInstrumentation } from '@millrace/idempotency';
import { createObservability } from '@millrace/observability';
import type { QueueInstrumentation } from '@millrace/queue';
import type { RateLimitInstrumentation } from '@millrace/ratelimit';
import type { WorkspaceInstrumentation } from '@millrace/workspace';
import { expect, it } from 'vitest';

/** A missing member would be an event that nobody sees: `Required` makes that a type error. */
it('implements every hook of the four packages, by shape', async () => {
  await using obs = createObservability({ service: 'house', log: false });
  const queue: Required<QueueInstrumentation> = obs.queue;
  const rateLimit: Required<RateLimitInstrumentation> = obs.rateLimit;
  const workspace: Required<WorkspaceInstrumentation> = obs.workspace;
  const idempotency: Required<IdempotencyInstrumentation> = obs.idempotency;
  for (const hooks of [queue, rateLimit, workspace, idempotency]) {
    expect(Object.values(hooks).every((hook) => typeof hook === 'function')).toBe(true);
  }
});
