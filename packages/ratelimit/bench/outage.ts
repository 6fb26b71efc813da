import { anthropic } from '@millrace/ratelimit/presets';
import { scaledClock, startFakeProvider } from '@millrace/ratelimit/testing';
import { alone, type Bench } from './result.ts';

const speed = 10;
const perSecond = 20;
/** Virtual milliseconds that the provider takes to answer. */
const latency = 500;

interface Outcome {
  readonly attempts: number;
  readonly recovery: number;
  readonly peak: number;
}

/** An open loop of calls; the provider answers 500 for 60 virtual seconds, then works again. */
async function outage(): Promise<Outcome> {
  const clock = scaledClock(speed);
  await using provider = await startFakeProvider({ clock, latency });
  const claude = anthropic({ clock, limits: { requests: 6_000 }, maxWait: '10s' });
  const body = JSON.stringify({ model: 'claude', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] });
  const offered: number[] = [];
  const done: number[] = [];
  const call = async (): Promise<void> => {
    offered.push(clock.monotonic());
    const response = await claude.fetch(`${provider.url}/v1/messages`, { method: 'POST', body }).catch(() => undefined);
    if (response?.ok === true) done.push(clock.monotonic());
  };
  const offer = async (seconds: number): Promise<void> => {
    const endAt = clock.monotonic() + seconds * 1_000;
    while (clock.monotonic() < endAt) {
      void call();
      await new Promise<void>((resolve) => clock.setTimeout(resolve, 1_000 / perSecond));
    }
  };
  await offer(10);
  provider.fail({ kind: 'server', times: Number.POSITIVE_INFINITY });
  const [offeredBefore, requestsBefore] = [offered.length, provider.requests.length];
  await offer(60);
  const attempts = (provider.requests.length - requestsBefore) / (offered.length - offeredBefore);
  provider.heal();
  const healedAt = clock.monotonic();
  const requestsAtHeal = provider.requests.length;
  await offer(20);
  const arrivals = provider.requests.slice(requestsAtHeal).map(({ at }) => at);
  const usual = busiestSecond(offered.filter((at) => at >= healedAt));
  return { attempts, recovery: secondsUntilFull(done, offered, healedAt), peak: busiestSecond(arrivals) / usual };
}

/**
 * Until the start of the first virtual second in which as much is answered as was offered one latency before (less 10 % for chance).
 * What was offered is counted, not assumed: a busy machine offers less than it was told to.
 */
function secondsUntilFull(done: readonly number[], offered: readonly number[], from: number): number {
  const within = (times: readonly number[], start: number): number =>
    times.filter((time) => time >= start && time < start + 1_000).length;
  for (let at = from; at < from + 20_000; at += 100) {
    if (within(done, at) >= within(offered, at - latency) * 0.9) return (at - from) / 1_000;
  }
  return Number.POSITIVE_INFINITY;
}

function busiestSecond(times: readonly number[]): number {
  return Math.max(1, ...times.map((from) => times.filter((time) => time >= from && time < from + 1_000).length));
}

export const outages: Bench = {
  metrics: ['outage.attempts', 'outage.recovery', 'outage.peak'],
  async run({ quick }) {
    const runs: Outcome[] = [];
    for (let i = 0; i < (quick ? 1 : 3); i++) runs.push(await outage());
    const worst = (of: (outcome: Outcome) => number): number => Math.max(...runs.map(of));
    return [
      alone('outage.attempts', 100 * worst(({ attempts }) => attempts), '% of the offered calls, worst of the outages'),
      alone(
        'outage.recovery',
        worst(({ recovery }) => recovery),
        's, worst of the outages',
      ),
      alone(
        'outage.peak',
        worst(({ peak }) => peak),
        'busiest second after it ÷ busiest second offered, worst',
      ),
    ];
  },
};
