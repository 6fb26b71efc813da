import {
  createIdempotency,
  IdempotencyDuplicateError,
  IdempotencyInProgressError,
  type IdempotencyInstrumentation,
  IdempotencyMismatchError,
  InvalidKeyError,
} from '@millrace/idempotency';
import { postgresStore } from '@millrace/idempotency/postgres';
import { trace } from '@opentelemetry/api';
import { CompiledQuery, type Kysely } from 'kysely';
import type { OpenDatabase } from '../db/open.ts';
import { prepared } from '../db/prepared.ts';
import type { Database } from '../db/schema.ts';
import { ApiError } from '../http/problem.ts';
import type { Creation, SubmissionKey, Submissions } from '../http/submissions.ts';

/** Remembers which keys made which runs, in the database of the runs: key, run and outbox row are one commit. */
export async function openSubmissions(
  { db, pool }: OpenDatabase,
  instrumentation: IdempotencyInstrumentation,
): Promise<Submissions> {
  const store = postgresStore({ pool });
  await store.migrate();
  const idempotency = createIdempotency({ store, instrumentation });
  return {
    async submit<T extends object>(
      { tenantId, operation, key, input, replay }: SubmissionKey,
      create: (tx: Kysely<Database>) => Promise<Creation<T>>,
    ) {
      const request = { tenant: tenantId, operation, key, input, duplicates: replay ? 'replay' : 'reject' } as const;
      try {
        return await db.transaction().execute(async (tx) => {
          let stored: Promise<unknown> | undefined;
          const submitted = idempotency.tx(clientOf(tx), request, async () => {
            const made = await create(tx);
            stored = made.stored;
            stored.catch(() => undefined);
            if ('runId' in made.value) trace.getActiveSpan()?.setAttribute('millrace.run.id', String(made.value.runId));
            return made.value;
          });
          // A write that failed aborts the transaction, so the key's result fails as well: the first error is the one to tell.
          await Promise.allSettled([submitted]);
          await stored;
          return await submitted;
        });
      } catch (error) {
        throw asProblem(error);
      }
    },
    close: () => idempotency.close(),
  };
}

/** Kysely's transaction as the plain client that the store speaks through. */
function clientOf(tx: Kysely<Database>) {
  return {
    async query(text: string, values: readonly unknown[] = []) {
      const { rows, numAffectedRows } = await tx.executeQuery(CompiledQuery.raw(`${text} ${prepared}`, [...values]));
      return { rows: rows as Record<string, unknown>[], rowCount: Number(numAffectedRows ?? rows.length) };
    },
  };
}

function asProblem(error: unknown): unknown {
  if (error instanceof IdempotencyDuplicateError) {
    const members = error.value as Record<string, unknown>;
    const made = Object.entries(members).map(([name, id]) => `${name} ${[id].flat().join(', ')}`);
    const detail = `This key was used before: ${made.join('; ')}. Send "Prefer: duplicate=replay" to get that answer, or a new key for something new.`;
    return new ApiError(409, 'ERR_IDEMPOTENCY_DUPLICATE', detail, { members, cause: error });
  }
  if (error instanceof IdempotencyMismatchError) {
    const detail = 'This key was used with another body; send that body again, or use a new key.';
    return new ApiError(422, 'ERR_IDEMPOTENCY_MISMATCH', detail, { cause: error });
  }
  if (error instanceof IdempotencyInProgressError) {
    const { retryAfter } = error;
    const detail = 'A request with this key is under way; ask again with the same key.';
    return new ApiError(409, 'ERR_IDEMPOTENCY_IN_PROGRESS', detail, { retryAfter, cause: error });
  }
  if (error instanceof InvalidKeyError) {
    return new ApiError(400, 'ERR_IDEMPOTENCY_KEY_INVALID', error.message, { cause: error });
  }
  return error;
}
