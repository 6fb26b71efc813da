import { expect, test } from 'vitest';
import { type ClaimColumns, claimedJobs } from '../../src/adapters/postgres/claimed.ts';

function columnsOf(first: number, payloads: readonly string[]): ClaimColumns {
  const each = <T>(value: T): T[] => payloads.map(() => value);
  return [
    first,
    payloads.map((_, index) => `job-${first + index}`),
    'work',
    each(''),
    0,
    each(1),
    3,
    0,
    each(1_000),
    each(1_500),
    payloads.map((payload) => Buffer.byteLength(payload)),
    null,
    null,
  ];
}

test.each([
  ['ASCII', ['{"a":1}', '', '"\\n"', '[]']],
  ['characters of two, three and four bytes', ['"é"', '{"x":"😀"}', '"漢"', 'plain', '"ÿ"', '2']],
  ['long texts', ['x'.repeat(200_000), 'y'.repeat(3), '"é"']],
])('payloads are cut where they end: %s', (_, payloads) => {
  const jobs = claimedJobs(columnsOf(100, payloads), payloads.join(''), 2_000);
  expect(jobs.map(({ payload }) => payload)).toEqual(payloads);
});

test('jobs have consecutive fences, and rare fields only where they are', () => {
  const columns = columnsOf(7, ['1', '2']).with(11, [null, { v: 500, c: 2 }]) as unknown as ClaimColumns;
  const [plain, rare] = claimedJobs(columns, '12', 2_000);
  expect(plain).toMatchObject({ id: 'job-7', name: 'work', tenant: '', fence: 7, waitMs: 500, hasChildren: false });
  expect(plain).not.toHaveProperty('visibility');
  expect(rare).toMatchObject({ id: 'job-8', fence: 8, visibility: 500, hasChildren: true });
});

test('rows that stand in another order come in that of claiming, with the attempts of their places', () => {
  const columns = columnsOf(20, ['"a"', '"b"', '"c"'])
    .with(5, [4, 5, 6])
    .with(12, [2, 0, 1]) as unknown as ClaimColumns;
  expect(claimedJobs(columns, '"a""b""c"', 2_000)).toMatchObject([
    { id: 'job-21', payload: '"b"', fence: 20, attempt: 4 },
    { id: 'job-22', payload: '"c"', fence: 21, attempt: 5 },
    { id: 'job-20', payload: '"a"', fence: 22, attempt: 6 },
  ]);
});
