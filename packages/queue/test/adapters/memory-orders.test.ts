import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type JobRow, newJobRow } from '../../src/adapters/engine/job-row.ts';
import type { LineRow } from '../../src/adapters/engine/rows.ts';
import { ClassRing } from '../../src/adapters/memory/class-ring.ts';
import { IdIndex } from '../../src/adapters/memory/id-index.ts';
import { Line } from '../../src/adapters/memory/line.ts';
import { newLine, newTenant } from '../../src/adapters/memory/tenants.ts';

const steps = fc.array(fc.tuple(fc.nat(2), fc.nat(59), fc.nat(40)), { maxLength: 400 });
const makeJob = (seq: number): JobRow => newJobRow(seq, { id: `job-${seq}`, name: 'work', tenant: '' });
const earlier = (a: JobRow, b: JobRow): boolean => a.seq < b.seq;

describe('the orders that memory keeps are those of a sorted list', () => {
  it('the ring of a class, whatever the scores', () => {
    fc.assert(
      fc.property(steps, (ops) => {
        const ring = new ClassRing();
        const lines = Array.from({ length: 60 }, (_, n): LineRow => newLine(newTenant(`t${n}`), 0));
        const present = new Set<LineRow>();
        for (const [kind, index, score] of ops) {
          const line = kind === 0 ? ring.peek() : lines[index];
          if (line === undefined) continue;
          if (kind === 2) {
            ring.remove(line);
            present.delete(line);
          } else {
            // The first moves on, as after a turn; any other goes anywhere.
            line.score = kind === 0 ? line.score + (score % 6) : score;
            ring.put(line);
            present.add(line);
          }
          const least = Math.min(...[...present].map((one) => one.score));
          expect(ring.peek()?.score ?? Number.POSITIVE_INFINITY).toBe(least);
        }
        const order: number[] = [];
        for (let top = ring.peek(); top !== undefined; top = ring.peek()) {
          order.push(top.score);
          ring.remove(top);
        }
        expect(order).toEqual([...present].map(({ score }) => score).sort((a, b) => a - b));
      }),
    );
  });

  it('the ring of a class, over many turns of many lines', () => {
    const ring = new ClassRing();
    const lines = Array.from({ length: 3_000 }, (_, n) => newLine(newTenant(`t${n}`), 0));
    for (const line of lines) ring.put(line);
    let last = 0;
    for (let turn = 0; turn < 30_000; turn += 1) {
      const line = ring.peek() as LineRow;
      expect(line.score).toBeGreaterThanOrEqual(last);
      last = line.score;
      // Seven different steps: more than there are runs.
      line.score += 1 / (1 + (lines.indexOf(line) % 7));
      ring.put(line);
    }
  });

  it('a line, from which any job may be taken, and into which it may come back', () => {
    fc.assert(
      fc.property(steps, (ops) => {
        const line = new Line();
        const jobs = Array.from({ length: 60 }, (_, n) => makeJob(n));
        let present: JobRow[] = [];
        for (const [kind, index] of ops) {
          const job = kind === 0 ? line.first : jobs[index];
          if (job === undefined) continue;
          const there = present.includes(job);
          if (there) line.remove(job);
          else line.insert(job, earlier);
          present = there ? present.filter((other) => other !== job) : [...present, job].sort((a, b) => a.seq - b.seq);
          expect(line.first).toBe(present[0]);
        }
        const order: JobRow[] = [];
        for (let row = line.first; row !== undefined; row = row.next) order.push(row);
        expect(order).toEqual(present);
      }),
    );
  });

  it('jobs are found by their ids, while some come and others go', () => {
    const index = new IdIndex(7);
    const jobs = Array.from({ length: 5_000 }, (_, n) => makeJob(n));
    for (const job of jobs) {
      index.add(job);
      const gone = jobs[job.seq - 1_700];
      if (gone !== undefined) index.delete(gone);
    }
    const left = jobs.slice(-1_700);
    expect([...index.values()].sort((a, b) => a.seq - b.seq)).toEqual(left);
    expect(jobs.filter(({ id }) => index.get(id) !== undefined)).toEqual(left);
    expect(left.every((job) => index.get(job.id) === job)).toBe(true);
  });
});
