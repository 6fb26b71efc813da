/** What the types refuse. Vitest only runs this file; `npm run typecheck` is what judges it. */
import { describe, expectTypeOf, test } from 'vitest';
import type { HttpOptions } from '../src/http.ts';
import type { Idempotency, IdempotencyOptions, RunRequest } from '../src/index.ts';

describe('types', () => {
  test('require the tenant of every call and of every HTTP adapter', () => {
    expectTypeOf<Omit<RunRequest, 'tenant'>>().not.toExtend<RunRequest>();
    expectTypeOf<Omit<HttpOptions<Request>, 'tenant'>>().not.toExtend<HttpOptions<Request>>();
    expectTypeOf<HttpOptions<Request>['tenant']>().returns.toExtend<string | Promise<string>>();
  });

  test('require a store, and take its client to transactions and phases', () => {
    expectTypeOf<Omit<IdempotencyOptions, 'store'>>().not.toExtend<IdempotencyOptions>();
    expectTypeOf<Parameters<Idempotency<{ query(): void }>['tx']>[0]>().toEqualTypeOf<{ query(): void }>();
  });
});
