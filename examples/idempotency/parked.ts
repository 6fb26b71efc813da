// A payment whose executor died is not repeated blindly: it is parked until somebody has looked.
import { setTimeout as sleep } from 'node:timers/promises';
import { createIdempotency, OutcomeUnknownError } from '@millrace/idempotency';
import { memoryStore } from '@millrace/idempotency/memory';

const idempotency = createIdempotency({
  store: memoryStore(),
  operations: { pay: { onExpiredLease: 'park', lease: 50, heartbeat: false } },
});
const payment = { tenant: 'acme', operation: 'pay', key: 'invoice-7', input: { amount: 1200 } };

// This executor stops in the middle, as a killed process would.
idempotency.run(payment, () => new Promise(() => undefined)).catch(() => undefined);
await sleep(100);

const error = await idempotency.run(payment, () => ({ paid: true })).catch((thrown: unknown) => thrown);
if (!(error instanceof OutcomeUnknownError)) throw new Error('expected the payment to be parked');
console.log('parked: nobody pays twice');

// A person finds the payment in the bank's books.
await idempotency.resolve(payment, { fence: error.fence, as: 'done', value: { paid: true } });
const { value, replayed } = await idempotency.run(payment, () => ({ paid: true }));
console.log('resolved:', value, replayed);
await idempotency.close();
