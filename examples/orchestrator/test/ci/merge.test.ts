import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareObservations, latest, mergeObservations } from '../../src/ci/merge.ts';
import type { Observation } from '../../src/ci/observation.ts';
import { rollUp } from '../../src/ci/rollup.ts';

const base: Observation = {
  repoId: 1,
  sha: 'a'.repeat(40),
  source: 'check_run',
  key: '7/build',
  parent: '7',
  name: 'build',
  objectId: 1,
  attempt: 1,
  status: 'queued',
  conclusion: undefined,
  observedAt: 1_000,
  url: undefined,
};

/** Few values for each field, so that ties on every level are frequent. */
const state = fc.constantFrom(
  { status: 'queued', conclusion: undefined } as const,
  { status: 'in_progress', conclusion: undefined } as const,
  { status: 'completed', conclusion: 'success' } as const,
  { status: 'completed', conclusion: 'failure' } as const,
);
const observation = fc
  .record({
    source: fc.constantFrom('check_run', 'check_suite', 'status' as const),
    key: fc.constantFrom('7/build', '7'),
    objectId: fc.integer({ min: 1, max: 3 }),
    attempt: fc.integer({ min: 1, max: 2 }),
    observedAt: fc.integer({ min: 1, max: 3 }),
    url: fc.constantFrom(undefined, 'https://ci.example/1'),
    state,
  })
  .map(({ state: { status, conclusion }, ...rest }): Observation => ({ ...base, ...rest, status, conclusion }));

const sequence = fc.array(observation, { maxLength: 12 });

describe('the merge rule', () => {
  it('gives the same truth for every order of arrival', () => {
    fc.assert(
      fc.property(
        sequence.chain((items) =>
          fc.tuple(fc.constant(items), fc.shuffledSubarray(items, { minLength: items.length })),
        ),
        ([inOrder, shuffled]) => {
          expect(Object.fromEntries(latest(shuffled))).toEqual(Object.fromEntries(latest(inOrder)));
          expect(rollUp(latest(shuffled))).toEqual(rollUp(latest(inOrder)));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('is not changed by repetition', () => {
    fc.assert(
      fc.property(sequence, (items) => {
        expect(Object.fromEntries(latest([...items, ...items]))).toEqual(Object.fromEntries(latest(items)));
      }),
    );
  });

  it('is associative: parts may be merged apart and joined later', () => {
    fc.assert(
      fc.property(observation, observation, observation, (a, b, c) => {
        const left = mergeObservations(mergeObservations(a, b), c);
        const right = mergeObservations(a, mergeObservations(b, c));
        expect(compareObservations(left, right)).toBe(0);
      }),
    );
  });

  it('tells every two different statements apart, so that no tie depends on the order', () => {
    fc.assert(
      fc.property(observation, observation, (a, b) => {
        fc.pre(a.source === b.source && a.key === b.key);
        const same = JSON.stringify(a) === JSON.stringify(b);
        expect(compareObservations(a, b) === 0).toBe(same);
      }),
    );
  });

  it('never goes back from completed within an attempt and second', () => {
    const ended = { ...base, status: 'completed', conclusion: 'success' } as const;
    expect(mergeObservations(ended, { ...base, status: 'in_progress' })).toBe(ended);
  });

  it('lets a re-run beat the end of the run before it, even when that end is told later', () => {
    const rerun = { ...base, objectId: 2, status: 'queued' } as const;
    const cancelledLate = { ...base, status: 'completed', conclusion: 'cancelled', observedAt: 9_000 } as const;
    expect(mergeObservations(rerun, cancelledLate)).toBe(rerun);
    const secondAttempt = { ...base, attempt: 2, status: 'in_progress' } as const;
    expect(mergeObservations(cancelledLate, secondAttempt)).toBe(secondAttempt);
  });
});

describe('the roll-up', () => {
  const suite: Observation = { ...base, source: 'check_suite', key: '7', parent: undefined, name: 'Actions' };

  it('knows nothing without checks', () => {
    expect(rollUp(new Map()).state).toBe('none');
  });

  it('waits for every check, and fails on the first failure', () => {
    const done: Observation = { ...base, status: 'completed', conclusion: 'success' };
    const other: Observation = { ...base, key: '7/lint', name: 'lint', status: 'in_progress' };
    expect(rollUp(latest([done, other]))).toEqual({ state: 'pending', failing: [], waiting: ['lint'] });
    const failed: Observation = { ...done, key: '7/test', name: 'test', conclusion: 'timed_out' };
    expect(rollUp(latest([done, other, failed]))).toMatchObject({ state: 'failure', failing: ['test'] });
  });

  it('believes a completed group about a member whose end was lost, but not about a member that began after it', () => {
    const started: Observation = { ...base, status: 'in_progress', observedAt: 2_000 };
    const ended: Observation = { ...suite, status: 'completed', conclusion: 'success', observedAt: 3_000 };
    expect(rollUp(latest([started, ended])).state).toBe('success');
    expect(rollUp(latest([{ ...started, observedAt: 4_000 }, ended])).state).toBe('pending');
  });

  it('passes neutral and skipped checks, and no ending that it does not know', () => {
    const neutral: Observation = { ...base, status: 'completed', conclusion: 'neutral' };
    const skipped: Observation = { ...base, key: '7/docs', status: 'completed', conclusion: 'skipped' };
    expect(rollUp(latest([neutral, skipped])).state).toBe('success');
    expect(rollUp(latest([neutral, { ...skipped, conclusion: 'stale' }])).state).toBe('failure');
  });
});
