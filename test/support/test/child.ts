// What guardian.test.ts kills: a test process that has started one of everything and then hangs.
import { startPostgres, startRedis, temporaryDirectory } from '@millrace/test-support';

const redis = await startRedis({ own: true });
const postgres = await startPostgres({ own: true });
const folder = await temporaryDirectory();
process.send?.({ pids: [redis.pid, postgres.pid], folder: folder.path });
if (process.argv[2] === 'hang') setInterval(() => {}, 1_000);
if (process.argv[2] === 'paused') {
  await redis.pause();
  setInterval(() => {}, 1_000);
}
