import { setTimeout as sleep } from 'node:timers/promises';
import { openMill } from './mill.ts';

// A process of its own, to be killed or stopped. Tells what happens in lines of `what id`.

const [role = '', url = '', holdFor = '0'] = process.argv.slice(2);
const say = (what: string, id = ''): void => void process.stdout.write(`${what} ${id}\n`);
const mill = openMill(url);
await mill.queue.ready();

if (role === 'worker') {
  mill.startWorker({
    concurrency: 5,
    handler: async ({ id }, { signal }) => {
      say('started', id);
      signal.addEventListener('abort', () => say('aborted', id));
      await sleep(Number(holdFor));
      say('returned', id);
    },
  });
  let acked = 0;
  setInterval(() => {
    if (mill.ledger.acks.size > acked) say('acked');
    acked = mill.ledger.acks.size;
  }, 20);
} else {
  for (let part = 0; ; part += 1) {
    for (const id of await mill.enqueueAll(20, `part-${part}`)) say('accepted', id);
  }
}
