import { anthropic } from '@millrace/ratelimit/presets';
import { scaledClock, startFakeProvider } from '@millrace/ratelimit/testing';
import { alone, type Bench } from './result.ts';

const speed = 10;
const perSecond = 20;

/** An open loop of calls; the provider answers 500 and 529 for 60 virtual seconds, then works again. */
async function outage(): Promise<{ attempts: number; recovery: number; peak: number }> {
  const clock = scaledClock(speed);
  await using provider = await startFakeProvider({ clock, latency: 500 });
  const claude = anthropic({ clock, limits: { requests: 6_000 }, maxWait: '10s' });
  const body = JSON.stringify({ model: 'claude', max_tokens: 100, messages: [{ role: 'user', content: 'hi' }] });
  const done: number[] = [];
  let offered = 0;
  const call = async (): Promise<void> => {
    offered += 1;
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
  await offer(20);
  provider.fail({ kind: 'server', times: Number.POSITIVE_INFINITY });
  const [offeredBefore, requestsBefore] = [offered, provider.requests.length];
  await offer(60);
  const attempts = (provider.requests.length - requestsBefore) / (offered - offeredBefore);
  provider.heal();
  const healedAt = clock.monotonic();
  const requestsAtHeal = provider.requests.length;
  await offer(20);
  const arrivals = provider.requests.slice(requestsAtHeal).map(({ at }) => at);
  return { attempts, recovery: secondsUntilFull(done, healedAt), peak: busiestSecond(arrivals) / perSecond };
}

/** Until the end of the first virtual second in which as much is answered as is offered (less 10 % for chance). */
function secondsUntilFull(done: readonly number[], from: number): number {
  for (let at = from; at < from + 20_000; at += 100) {
    const answered = done.filter((time) => time >= at && time < at + 1_000).length;
    if (answered >= perSecond * 0.9) return (at - from) / 1_000;
  }
  return Number.POSITIVE_INFINITY;
}

function busiestSecond(times: readonly number[]): number {
  return Math.max(0, ...times.map((from) => times.filter((time) => time >= from && time < from + 1_000).length));
}

export const outages: Bench = {
  metrics: ['outage.attempts', 'outage.recovery', 'outage.peak'],
  async run() {
    const { attempts, recovery, peak } = await outage();
    return [
      alone('outage.attempts', 100 * attempts, '% of the offered calls'),
      alone('outage.recovery', recovery, 's'),
      alone('outage.peak', peak, 'busiest second after recovery ÷ offered'),
    ];
  },
};
