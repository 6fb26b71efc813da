import pg from 'pg';
import type { QueueAdapter } from '../../src/index.ts';
import { relayOutbox } from '../../src/postgres.ts';
import { redisAdapter } from '../../src/redis.ts';

// A relay that dies at a moment of its first round.

const [url = '', redisUrl = '', moment = ''] = process.argv.slice(2);
const die = (now: string): void => {
  if (now === moment) process.kill(process.pid, 'SIGKILL');
};

const redis = redisAdapter({ url: redisUrl, onWarning: () => undefined });
const to: QueueAdapter = {
  ...redis,
  open: async (context) => {
    const storage = await redis.open(context);
    return {
      ...storage,
      enqueue: async (request) => {
        die('before-enqueue');
        const answers = await storage.enqueue(request);
        die('after-enqueue');
        return answers;
      },
    };
  },
};

const pool = new pg.Pool({ connectionString: url });
relayOutbox({
  to,
  pool: {
    query: (text, values) => pool.query(text, values),
    connect: async () => {
      const client = await pool.connect();
      return {
        release: (destroy) => client.release(destroy),
        query: async (text, values) => {
          const result = await client.query(text, values);
          if (text.startsWith('DELETE')) die('after-delete');
          if (text === 'COMMIT' && moment === 'after-commit') die('after-commit');
          return result;
        },
      };
    },
  },
});
