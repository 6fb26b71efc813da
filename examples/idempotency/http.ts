// A Fetch handler behind the middleware, and a client that keeps its key when the answer gets lost.
import { createIdempotency } from '@millrace/idempotency';
import { fetchIdempotency, idempotentFetch } from '@millrace/idempotency/http';
import { memoryStore } from '@millrace/idempotency/memory';

const idempotency = createIdempotency({ store: memoryStore() });
const protect = fetchIdempotency({
  idempotency,
  tenant: (request) => request.headers.get('authorization') ?? 'nobody',
});

let orders = 0;
const server = (request: Request) =>
  protect(request, () => Response.json({ order: ++orders }, { status: 201, headers: { location: '/orders/1' } }));

// The first answer is lost on its way.
let attempts = 0;
const network = (async (input, init) => {
  const answer = await server(new Request(input, init));
  attempts += 1;
  if (attempts === 1) throw new TypeError('connection reset');
  return answer;
}) as typeof fetch;

const send = idempotentFetch({ fetch: network, firstPause: 10 });
const response = await send('http://shop.example/orders', {
  method: 'POST',
  body: JSON.stringify({ item: 'saw' }),
  headers: { 'content-type': 'application/json', authorization: 'user-1' },
});
console.log(response.status, await response.json(), `replayed: ${response.headers.get('idempotent-replayed')}`);
console.log(`${attempts} attempts, ${orders} order`);
await idempotency.close();
