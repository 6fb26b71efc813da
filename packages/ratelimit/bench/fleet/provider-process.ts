import { scaledClock, startFakeProvider } from '@millrace/ratelimit/testing';
import { account, answerTime, outputTokens, speed } from './model.ts';

/** The provider, alone in its process; `process.argv[2]` is the share of the quota that others eat. */
const provider = await startFakeProvider({
  clock: scaledClock(speed),
  limits: account,
  others: Number(process.argv[2] ?? 0),
  respond: () => ({ text: 'ok', usage: { output: outputTokens() } }),
  latency: (_, turn) => answerTime(turn.usage.output),
});

process.on('message', (message) => {
  if (message === 'stats') process.send?.({ stats: provider.stats(), at: performance.now() });
  provider.requests.length = 0;
});
process.on('disconnect', () => process.exit(0));
process.send?.({ url: provider.url });
