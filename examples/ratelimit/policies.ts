/** Each policy by itself, in this process: npx tsx examples/ratelimit/policies.ts */
import { setTimeout as sleep } from 'node:timers/promises';
import {
  admission,
  budget,
  bulkhead,
  type CallContext,
  circuitBreaker,
  fallback,
  hedge,
  rateLimit,
  responseCache,
  retry,
  timeout,
  wrap,
} from '@millrace/ratelimit';

/** What a call came to. */
const outcome = (call: Promise<unknown>): Promise<unknown> => call.catch(({ code, message }) => code ?? message);

/** A call that fails so often before it answers. */
function flaky(failures: number): () => Promise<string> {
  let left = failures;
  return async () => {
    if (left-- > 0) throw Object.assign(new Error('overloaded'), { status: 503 });
    return 'answered';
  };
}
/** A call that takes `ms`, unless it is aborted. */
const slow = (ms: number) => (ctx: CallContext) => sleep(ms, `took ${ms} ms`, { signal: ctx.signal });

const limited = wrap(rateLimit({ limits: [{ limit: 1, per: '1m' }], maxWait: 0 }));
await limited(flaky(0));
console.log('rateLimit:', await outcome(limited(flaky(0))));

console.log('retry:', await wrap(retry({ maxAttempts: 3, backoff: () => 1 }))(flaky(2)));

console.log('timeout:', await outcome(wrap(timeout(20))(slow(60_000))));

const guarded = wrap(circuitBreaker({ consecutiveFailures: 2 }));
const broken = flaky(2);
for (let i = 0; i < 2; i++) await outcome(guarded(broken));
console.log('circuitBreaker:', await outcome(guarded(broken)));

const few = wrap(bulkhead({ limit: 1, maxWait: 0 }));
const [first, second] = await Promise.all([outcome(few(slow(20))), outcome(few(slow(20)))]);
console.log('bulkhead:', first, second);

// A dollar is 1 000 000; each call holds 60 cents and tells that it did cost 50.
const spending = wrap(budget({ scopes: [{ name: 'day', cap: 1_000_000, per: 'day' }], estimate: () => 600_000 }));
const paid = () =>
  outcome(
    spending(async (ctx) => {
      ctx.settle({ microUsd: 500_000 });
      return 'paid';
    }),
  );
console.log('budget:', await paid(), await paid());

const cached = wrap(responseCache({ key: (ctx) => ctx.key, ttl: 1, staleIfError: '1h' }));
const question = { key: 'what is a millrace?', tenant: 'acme' };
await cached(async () => 'a channel', question);
await sleep(20);
console.log('responseCache:', await cached(flaky(1), question));

console.log('hedge:', await wrap(hedge({ after: 10 }))((ctx) => slow(ctx.attempt === 1 ? 60_000 : 5)(ctx)));

const models = wrap(fallback({ to: [{ model: 'small' }] }));
console.log(
  'fallback:',
  await models(async ({ model }) => (model === 'large' ? flaky(1)() : `answered by ${model}`), { model: 'large' }),
);

const door = wrap(admission({ maxInFlight: 1 }));
console.log('admission:', (await Promise.all([outcome(door(slow(20))), outcome(door(slow(20)))])).join(', '));
