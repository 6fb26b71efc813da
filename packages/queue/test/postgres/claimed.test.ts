import { expect, test } from 'vitest';
import { type ClaimColumns, claimedJobs } from '../../src/adapters/postgres/claimed.ts';

function batchOf(first: number, payloads: readonly string[]): ClaimColumns {
  const each = <T>(value: T): T[] => payloads.map(() => value);
  return [
    first,
    payloads.map((_, index) => `job-${first + index}`),
    each('work'),
    each(''),
    each(0),
    each(1),
    each(3),
    each(0),
    each(1_000),
    each(1_500),
    payloads.map((payload) => Buffer.byteLength(payload)),
    null,
  ];
}

function payloadsOf(...batches: readonly (readonly string[])[]): string[] {
  const columns = batches.map((payloads, index) => batchOf(100 * (index + 1), payloads));
  return claimedJobs(columns, batches.flat().join(''), 2_000).map(({ payload }) => payload);
}

test.each([
  ['ASCII', ['{"a":1}', '', '"\\n"'], ['[]']],
  ['characters of two, three and four bytes', ['"é"', '{"x":"😀"}', '"漢"', 'plain'], ['"ÿ"', '2']],
  ['long texts', ['x'.repeat(200_000), 'y'.repeat(3)], ['"é"']],
])('payloads are cut where they end: %s', (_, ...batches) => {
  expect(payloadsOf(...batches)).toEqual(batches.flat());
});

test('jobs of a batch have consecutive fences, and rare fields only where they are', () => {
  const columns = batchOf(7, ['1', '2']).with(11, [null, { v: 500, c: 2 }]) as unknown as ClaimColumns;
  const [plain, rare] = claimedJobs([columns], '12', 2_000);
  expect(plain).toMatchObject({ id: 'job-7', fence: 7, waitMs: 500, hasChildren: false });
  expect(plain).not.toHaveProperty('visibility');
  expect(rare).toMatchObject({ id: 'job-8', fence: 8, visibility: 500, hasChildren: true });
});
