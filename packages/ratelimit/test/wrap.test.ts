import { compose, type Policy, wrap } from '@millrace/ratelimit';
import { expect, it } from 'vitest';

function tracing(name: string, trace: string[]): Policy {
  return async (next, ctx) => {
    trace.push(`${name}:in`);
    const value = await next(ctx);
    trace.push(`${name}:out`);
    return value;
  };
}

it('applies policies outermost first', async () => {
  const trace: string[] = [];
  const call = wrap(tracing('a', trace), compose(tracing('b', trace), tracing('c', trace)));
  expect(await call(async () => 42)).toBe(42);
  expect(trace).toEqual(['a:in', 'b:in', 'c:in', 'c:out', 'b:out', 'a:out']);
});

it('gives the function what the caller said', async () => {
  const { signal } = new AbortController();
  const seen = await wrap()(async (ctx) => ctx, {
    key: 'k',
    tenant: 't',
    run: 'r',
    model: 'm',
    cost: { output: 5 },
    signal,
  });
  expect(seen).toMatchObject({ key: 'k', tenant: 't', run: 'r', model: 'm', cost: { output: 5 }, attempt: 1 });
  expect(seen.signal).toBe(signal);
});

it('has a default key, no cost and a signal that never aborts', async () => {
  const seen = await wrap()(async (ctx) => ctx);
  expect(seen).toMatchObject({ key: 'default', tenant: undefined, cost: {} });
  expect(seen.signal.aborted).toBe(false);
});

it('turns a synchronous throw into a rejection', async () => {
  const call = wrap();
  await expect(
    call(() => {
      throw new Error('sync');
    }),
  ).rejects.toThrow('sync');
});

it('tells every policy the actual cost, inner ones first', async () => {
  const heard: string[] = [];
  const listening =
    (name: string): Policy =>
    (next, ctx) =>
      next(ctx.derive({ onSettle: (usage) => heard.push(`${name}:${usage.output}`) }));
  await wrap(listening('outer'), listening('inner'))(async (ctx) => ctx.settle({ output: 7 }));
  expect(heard).toEqual(['inner:7', 'outer:7']);
});
