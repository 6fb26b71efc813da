import { describe, expect, it } from 'vitest';
import { latest } from '../../src/ci/merge.ts';
import { checkSources } from '../../src/ci/observation.ts';
import { observationsIn } from '../../src/ci/payloads.ts';
import { rollUp } from '../../src/ci/rollup.ts';
import { recordedDeliveries } from './recorded.ts';

describe('payloads of GitHub', () => {
  const all = recordedDeliveries();

  it('has the recorded deliveries to read', () => {
    expect(all.length).toBeGreaterThan(200);
  });

  it.each(checkSources)('understands every recorded %s', (source) => {
    const mine = all.filter(({ event }) => event === source);
    expect(mine.length).toBeGreaterThan(0);
    for (const { payload } of mine) {
      const [found] = observationsIn(source, payload);
      expect(found).toMatchObject({ source, sha: expect.stringMatching(/^[0-9a-f]{40}$/) });
      expect(found?.observedAt).toBeGreaterThan(0);
      expect(found?.conclusion !== undefined).toBe(found?.status === 'completed');
    }
  });

  it('skips every other recorded delivery without an error', () => {
    for (const { event, payload } of all) {
      if (!checkSources.some((source) => source === event)) expect(observationsIn(event, payload)).toEqual([]);
    }
  });

  it('skips what it cannot understand', () => {
    for (const payload of [undefined, null, 1, 'x', [], {}, { check_run: null }, { repository: { id: 'x' } }]) {
      for (const source of checkSources) expect(observationsIn(source, payload)).toEqual([]);
    }
  });

  it('does not let a commit pass by an ending that GitHub may add one day', () => {
    const known = all.find(({ event }) => event === 'check_run');
    const payload = structuredClone(known?.payload) as { check_run: { conclusion: string; status: string } };
    payload.check_run.status = 'completed';
    payload.check_run.conclusion = 'postponed';
    expect(rollUp(latest(observationsIn('check_run', payload))).state).toBe('failure');
  });
});
