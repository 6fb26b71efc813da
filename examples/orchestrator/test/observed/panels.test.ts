import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPrometheus, waitFor } from '@millrace/test-support';
import { expect, test } from 'vitest';
import { type ObservedService, startObservedService } from '../support/observed-service.ts';

const packageFolder = join(import.meta.dirname, '..', '..', '..', '..', 'packages', 'observability');

interface Dashboard {
  readonly title: string;
  readonly panels: readonly {
    readonly title: string;
    readonly panels?: Dashboard['panels'];
    readonly targets?: readonly { readonly expr: string }[];
  }[];
}

/** What this orchestrator cannot have, and why. */
const notHere: Readonly<Record<string, string>> = {
  'Millrace / External APIs: Response cache hits': 'its gateway keeps no answers: no two turns of an agent are alike',
};

/** Runs of every kind, again and again: with a model and CI, without, repeated, refused, watched; a remote and a provider that fail now and then. */
async function work({ orchestrator, provider, git, repo, check }: ObservedService, signal: AbortSignal): Promise<void> {
  const { client, origin, url } = orchestrator;
  const ask = { type: 'claude', prompt: 'Do it.', model: 'claude-sonnet-4-5' } as const;
  const command = { type: 'command', command: 'date +%N > time.txt' } as const;
  const ignore = (): undefined => undefined;
  const watch = async (id: string): Promise<void> => {
    for await (const _event of client.events(id, { signal })) if (signal.aborted) return;
  };
  const withChecks = async (conclusion: 'success' | 'failure'): Promise<void> => {
    const { id } = await client.submit({
      repo,
      agent: ask,
      budgetMicroUsd: 1_000_000,
      pullRequest: { waitForChecks: true },
    });
    watch(id).catch(ignore);
    const waiting = await waitFor(
      async () => {
        const run = await client.get(id);
        return run.state === 'ci_waiting' || run.finishedAt ? run : undefined;
      },
      { timeout: 30_000, interval: 200 },
    );
    if (waiting.commitSha) await check(waiting.commitSha, conclusion);
  };
  for (let round = 0; !signal.aborted; round += 1) {
    if (round % 3 === 1) provider.fail({ kind: 'rate-limit', times: 1, retryAfter: 0 });
    if (round % 3 === 2) provider.fail({ kind: 'server', times: 1 });
    if (round % 4 === 3) git.fail(503, 2);
    // A provider that is down until its breaker has seen enough.
    if (round === 6) provider.fail({ kind: 'server', times: 60 });
    const key = `round ${round}`;
    await client.submit({ repo: origin, agent: command }, { key }).catch(ignore);
    await Promise.all([
      client.submit({ repo: origin, agent: command }, { key, replay: true }).catch(ignore),
      client.submit({ repo: origin, agent: command }, { key }).catch(ignore),
      client.submit({ repo: origin, agent: command, ref: 'main' }, { key }).catch(ignore),
      withChecks(round % 2 === 0 ? 'success' : 'failure').catch(ignore),
      fetch(`${url}/readyz`).catch(ignore),
    ]);
    await sleep(100);
  }
}

test('a real Prometheus that scrapes the orchestrator under load has an answer for every panel', {
  timeout: 400_000,
}, async () => {
  await using service = await startObservedService({ RUN_MAX_ATTEMPTS: '3' });
  const end = new AbortController();
  const working = work(service, end.signal);
  try {
    await using prometheus = await startPrometheus({
      target: new URL(service.orchestrator.url).host,
      rules: join(packageFolder, 'rules', 'millrace.yml'),
    });
    let silent = (await questions()).filter(({ panel }) => notHere[panel] === undefined);
    const allAnswer = async (): Promise<boolean> => {
      const answers = await Promise.all(
        silent.map(async (question) => ({
          question,
          // A window that a test of seconds fills; a share of nothing is NaN and no answer.
          found: await prometheus.query(question.expr.replaceAll('$__rate_interval', '30s')),
        })),
      );
      silent = answers
        .filter(({ found }) => !found.some(({ value: [, value] }) => value !== 'NaN'))
        .map(({ question }) => question);
      return silent.length === 0;
    };
    await waitFor(allAnswer, { timeout: 240_000, interval: 1_000, what: 'data for every panel' }).catch(() => {});
    expect(silent).toEqual([]);
  } finally {
    end.abort();
    await working;
  }
});

/** Every query of the dashboards as they are published. */
async function questions(): Promise<readonly { readonly panel: string; readonly expr: string }[]> {
  const folder = join(packageFolder, 'dashboards');
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const dashboards = await Promise.all(
    names.map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8')) as Dashboard),
  );
  return dashboards.flatMap(({ title, panels }) =>
    panels
      .flatMap((panel) => [panel, ...(panel.panels ?? [])])
      .flatMap((panel) => (panel.targets ?? []).map(({ expr }) => ({ panel: `${title}: ${panel.title}`, expr }))),
  );
}
