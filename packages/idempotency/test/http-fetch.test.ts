import { describe, expect, test } from 'vitest';
import { executionOf, type FetchHandler, fetchIdempotency, type HttpOptions } from '../src/http.ts';
import { createIdempotency, type IdempotencyOptions } from '../src/index.ts';
import { memoryStore } from '../src/memory.ts';

interface SetUp extends Partial<Omit<HttpOptions<Request>, 'idempotency'>> {
  readonly core?: Partial<IdempotencyOptions>;
}

function setUp({ core, ...options }: SetUp = {}) {
  const idempotency = createIdempotency({ store: memoryStore(), sweepInterval: false, ...core });
  const protect = fetchIdempotency({
    tenant: (request) => request.headers.get('x-user') ?? 'u1',
    ...options,
    idempotency,
  });
  return { idempotency, protect };
}

function post(
  key: string | undefined,
  body: unknown = { amount: 5 },
  headers: Record<string, string> = {},
  path = '/orders',
) {
  return new Request(`http://shop.test${path}`, {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
    headers: { 'content-type': 'application/json', ...(key !== undefined && { 'idempotency-key': key }), ...headers },
  });
}

function counting(status = 201, headers: Record<string, string> = {}): { calls: () => number; handler: FetchHandler } {
  let calls = 0;
  const handler: FetchHandler = async (request) => {
    calls += 1;
    return Response.json(
      { n: calls, got: await request.json() },
      { status, headers: { location: `/orders/${calls}`, ...headers } },
    );
  };
  return { calls: () => calls, handler };
}

describe('fetchIdempotency', () => {
  test('executes once and replays status, headers and body', async () => {
    const { protect } = setUp();
    const { handler, calls } = counting();
    const first = await protect(post('"k1"'), handler);
    expect([first.status, first.headers.get('idempotent-replayed')]).toEqual([201, null]);
    const again = await protect(post('k1'), handler);
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([201, 'true']);
    expect(again.headers.get('location')).toBe('/orders/1');
    expect(again.headers.get('content-type')).toBe(first.headers.get('content-type'));
    expect(await again.text()).toBe(await first.text());
    expect(calls()).toBe(1);
  });

  test('a missing key is 400, or passes where keys are optional', async () => {
    const { handler, calls } = counting();
    const refused = await setUp().protect(post(undefined), handler);
    expect(refused.status).toBe(400);
    expect(refused.headers.get('content-type')).toBe('application/problem+json');
    expect(await refused.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_KEY_MISSING', status: 400 });
    expect((await setUp({ required: false }).protect(post(undefined), handler)).status).toBe(201);
    expect(calls()).toBe(1);
  });

  test.each(['', 'a b', '"a', '"a"b', 'a,b', '"é"', '"a" , "b"', 'x'.repeat(256), "a'\\", '"\\x"'])(
    'the malformed key %j is 400',
    async (key) => {
      const { handler, calls } = counting();
      const request = post('placeholder');
      // Headers cannot carry every test value: the parser gets it through a stand-in.
      const shown = new Proxy(request, {
        get: (target, name) => {
          if (name !== 'headers') return Reflect.get(target, name, target);
          return { get: (header: string) => (header === 'idempotency-key' ? key : target.headers.get(header)) };
        },
      });
      const response = await setUp().protect(shown, handler);
      expect(response.status).toBe(400);
      expect(await response.json()).toMatchObject({ code: 'ERR_INVALID_KEY' });
      expect(calls()).toBe(0);
    },
  );

  test('strict takes quoted strings only', async () => {
    const { protect } = setUp({ strict: true });
    expect((await protect(post('k1'), counting().handler)).status).toBe(400);
    expect((await protect(post('"k1";v=1'), counting().handler)).status).toBe(201);
  });

  test('another body is 422, the same body in another order is not', async () => {
    const { protect } = setUp();
    const { handler } = counting();
    await protect(post('k1', { a: 1, b: 2 }), handler);
    const other = await protect(post('k1', { a: 1, b: 3 }), handler);
    expect(other.status).toBe(422);
    expect(await other.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_MISMATCH' });
    expect((await protect(post('k1', '{ "b": 2.0, "a": 1 }'), handler)).headers.get('idempotent-replayed')).toBe(
      'true',
    );
  });

  test('a request in progress is 409 with Retry-After', async () => {
    const { protect } = setUp();
    let finish = (): void => undefined;
    const first = protect(post('k1'), () => new Promise((resolve) => (finish = () => resolve(new Response('done')))));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await protect(post('k1'), counting().handler);
    expect(second.status).toBe(409);
    expect(Number(second.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(await second.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_IN_PROGRESS' });
    finish();
    expect(await (await first).text()).toBe('done');
  });

  test('duplicates may be refused with 409 and the place of the first result', async () => {
    const { protect } = setUp({ policy: () => ({ duplicates: 'reject' }) });
    const { handler } = counting();
    await protect(post('k1'), handler);
    const second = await protect(post('k1'), handler);
    expect([second.status, second.headers.get('location')]).toEqual([409, '/orders/1']);
    expect(await second.json()).toMatchObject({ code: 'ERR_IDEMPOTENCY_DUPLICATE' });
  });

  test("duplicates: 'attach' is 202 with a Location while the first runs", async () => {
    const { protect } = setUp({ policy: () => ({ duplicates: 'attach', attach: (record) => `/runs/${record.key}` }) });
    let finish = (): void => undefined;
    const first = protect(post('k1'), () => new Promise((resolve) => (finish = () => resolve(new Response('done')))));
    await new Promise((resolve) => setTimeout(resolve, 5));
    const second = await protect(post('k1'), counting().handler);
    expect([second.status, second.headers.get('location')]).toEqual([202, '/runs/k1']);
    finish();
    await first;
  });

  test.each([500, 502, 503, 408, 425, 429])('status %i is not kept', async (status) => {
    const { protect } = setUp();
    const { handler, calls } = counting(status);
    expect((await protect(post('k1'), handler)).status).toBe(status);
    expect((await protect(post('k1'), handler)).status).toBe(status);
    expect(calls()).toBe(2);
  });

  test.each([400, 404, 422])('status %i is kept', async (status) => {
    const { protect } = setUp();
    const { handler, calls } = counting(status);
    await protect(post('k1'), handler);
    expect((await protect(post('k1'), handler)).headers.get('idempotent-replayed')).toBe('true');
    expect(calls()).toBe(1);
  });

  test('an error of the handler comes out unchanged and frees the key', async () => {
    const { protect } = setUp();
    const failure = new Error('broken');
    await expect(protect(post('k1'), () => Promise.reject(failure))).rejects.toBe(failure);
    expect((await protect(post('k1'), counting().handler)).status).toBe(201);
  });

  test('cookies, dates and trace headers are sent once and never replayed', async () => {
    const { protect } = setUp({ headers: ['x-price'] });
    const { handler } = counting(200, {
      'set-cookie': 'session=1',
      date: 'now',
      traceparent: '00-1',
      'x-price': '5',
      'x-other': '1',
    });
    expect((await protect(post('k1'), handler)).headers.get('set-cookie')).toBe('session=1');
    const replay = await protect(post('k1'), handler);
    expect(['set-cookie', 'date', 'traceparent', 'x-other', 'x-price'].map((name) => replay.headers.get(name))).toEqual(
      [null, null, null, null, '5'],
    );
    expect(() => setUp({ headers: ['Set-Cookie'] })).toThrow('set-cookie');
  });

  test('GET passes without a key; the handler sees its execution', async () => {
    const { protect } = setUp();
    const plain = await protect(
      new Request('http://shop.test/'),
      (request) => new Response(String(executionOf(request))),
    );
    expect(await plain.text()).toBe('undefined');
    const seen = await protect(post('k1'), (request) => Response.json({ attempt: executionOf(request)?.attempt }));
    expect(await seen.json()).toEqual({ attempt: 1 });
  });

  test('a request body over the limit is 413', async () => {
    const { protect } = setUp({ maxRequestBytes: 10 });
    expect((await protect(post('k1', { long: 'body that is too long' }), counting().handler)).status).toBe(413);
  });

  test('bodies: empty, binary and text are replayed as they were', async () => {
    const { protect } = setUp();
    const binary = new Uint8Array([0, 255, 254, 10]);
    const bodies: [string, () => Response, Uint8Array][] = [
      ['empty', () => new Response(null, { status: 204 }), new Uint8Array()],
      ['binary', () => new Response(binary), binary],
      ['text', () => new Response('größer\n'), new TextEncoder().encode('größer\n')],
      ['bom', () => new Response(new Uint8Array([0xef, 0xbb, 0xbf, 65])), new Uint8Array([0xef, 0xbb, 0xbf, 65])],
    ];
    for (const [key, make, expected] of bodies) {
      const first = await protect(post(key), make);
      const replay = await protect(post(key), make);
      expect(replay.status).toBe(first.status);
      expect(new Uint8Array(await replay.arrayBuffer())).toEqual(expected);
    }
  });
});

describe('streams', () => {
  const chunked = (chunks: readonly string[], headers: Record<string, string> = {}) =>
    new Response(
      new ReadableStream<Uint8Array>({
        async start(controller) {
          for (const chunk of chunks) {
            await new Promise((resolve) => setTimeout(resolve, 1));
            controller.enqueue(new TextEncoder().encode(chunk));
          }
          controller.close();
        },
      }),
      { headers },
    );

  test('a streamed body is replayed whole', async () => {
    const { protect } = setUp();
    await (await protect(post('k1'), () => chunked(['a', 'b', 'c']))).text();
    expect(await (await protect(post('k1'), () => chunked(['x']))).text()).toBe('abc');
  });

  test('beyond the limit it goes to the spill', async () => {
    const kept = new Map<string, Uint8Array>();
    const spill = {
      write: async (body: ReadableStream<Uint8Array>) => {
        kept.set('object-1', new Uint8Array(await new Response(body).arrayBuffer()));
        return 'object-1';
      },
      read: async (reference: string) => kept.get(reference) ?? new Uint8Array(),
    };
    const { protect } = setUp({ maxStoredBytes: 4, spill });
    const first = await protect(post('k1'), () => chunked(['abc', 'def', 'ghi']));
    expect(await first.text()).toBe('abcdefghi');
    expect(await (await protect(post('k1'), () => chunked(['x']))).text()).toBe('abcdefghi');
  });

  test('without a spill, the duplicate gets 409 and the location', async () => {
    const { protect } = setUp({ maxStoredBytes: 4 });
    const first = await protect(post('k1'), () => chunked(['abc', 'def'], { location: '/orders/7' }));
    expect(await first.text()).toBe('abcdef');
    const second = await protect(post('k1'), () => chunked(['x']));
    expect([second.status, second.headers.get('location')]).toEqual([409, '/orders/7']);
    expect(await second.json()).toMatchObject({ code: 'ERR_RESPONSE_NOT_STORED' });
  });

  test('events flow at once; what is kept is what the operation says', async () => {
    const events = { 'content-type': 'text/event-stream' };
    const { protect } = setUp();
    const live = await protect(post('k1'), () => chunked(['data: 1\n\n', 'data: 2\n\n'], events));
    const reader = (live.body as ReadableStream<Uint8Array>).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('data: 1\n\n');
    while (!(await reader.read()).done);
    expect((await protect(post('k1'), () => chunked(['x']))).status).toBe(409);
    const keeping = setUp({ streams: 'store' }).protect;
    await (await keeping(post('k1'), () => chunked(['data: 1\n\n'], events))).text();
    expect(await (await keeping(post('k1'), () => chunked(['x']))).text()).toBe('data: 1\n\n');
  });

  test('a client that leaves does not stop the recording', async () => {
    const { protect } = setUp({ streams: 'store' });
    const live = await protect(post('k1'), () => chunked(['a', 'b', 'c'], { 'content-type': 'text/event-stream' }));
    await live.body?.cancel();
    await expect
      .poll(async () => (await protect(post('k1'), () => chunked(['x']))).headers.get('idempotent-replayed'))
      .toBe('true');
  });

  test('a stream that breaks frees the key', async () => {
    const { protect } = setUp({ streams: 'store' });
    const breaking = () =>
      new Response(new ReadableStream({ pull: (controller) => controller.error(new Error('source broke')) }), {
        headers: { 'content-type': 'text/event-stream' },
      });
    await expect((await protect(post('k1'), breaking)).text()).rejects.toThrow('source broke');
    expect((await protect(post('k1'), counting().handler)).status).toBe(201);
  });
});
