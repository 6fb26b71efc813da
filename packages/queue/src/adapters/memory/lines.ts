import type { JobRow } from '../engine/job-row.ts';
import type { LineRow, TenantRow } from '../engine/rows.ts';
import type { Tables } from '../engine/tables.ts';
import { Line } from './line.ts';
import type { Rings } from './ring.ts';

/** A line with its jobs. */
class MemoryLine extends Line implements LineRow {
  readonly tenant: TenantRow;
  readonly priority: number;
  score = 0;
  state: LineRow['state'] = 'new';
  ringRun = 0;
  ringSlot = -1;

  constructor(tenant: TenantRow, priority: number) {
    super();
    this.tenant = tenant;
    this.priority = priority;
  }
}

type LineTables = Pick<Tables, 'saveLine' | 'removeLine' | 'heldLines' | 'head' | 'isEmpty'> & {
  line(tenant: TenantRow, priority: number): MemoryLine;
  /** Puts a ready job at the end of its line. */
  append(tenant: TenantRow, job: JobRow): void;
  /** A job that comes back takes the place that its time gives it. */
  putBack(tenant: TenantRow, job: JobRow): void;
};

/** A tenant keeps a few empty lines, so that priorities in turn do not make and drop one per job. */
const keptLines = 64;

/** Whether `a` stands before `b` in their line. */
export const earlier = (a: JobRow, b: JobRow): boolean =>
  a.readyAt === b.readyAt ? a.seq < b.seq : (a.readyAt ?? 0) < (b.readyAt ?? 0);

/** Most tenants have one line: only who has more needs a map. */
function findLine({ lines }: TenantRow, priority: number): MemoryLine | undefined {
  const found = lines instanceof Map ? lines.get(priority) : lines?.priority === priority ? lines : undefined;
  return found as MemoryLine | undefined;
}

function addLine(tenant: TenantRow, line: MemoryLine): MemoryLine {
  const { lines } = tenant;
  if (lines === undefined) tenant.lines = line;
  else if (lines instanceof Map) lines.set(line.priority, line);
  else tenant.lines = new Map([lines, line].map((one) => [one.priority, one]));
  return line;
}

function linesOf({ lines }: TenantRow): LineRow[] {
  if (lines === undefined) return [];
  return lines instanceof Map ? [...lines.values()] : [lines];
}

/** The lines of all tenants. */
export function createLineTables(putInRing: Rings['put']): LineTables {
  const line = (tenant: TenantRow, priority: number): MemoryLine =>
    findLine(tenant, priority) ?? addLine(tenant, new MemoryLine(tenant, priority));

  return {
    line,
    saveLine: putInRing,
    removeLine: (row) => {
      row.state = 'new';
      putInRing(row);
      const { lines } = row.tenant;
      if (lines instanceof Map && lines.size > keptLines) lines.delete(row.priority);
    },
    heldLines: (tenant) => linesOf(tenant).filter(({ state }) => state === 'held'),
    head: (row) => (row as MemoryLine).first,
    isEmpty: (row) => (row as MemoryLine).first === undefined,
    append: (tenant, job) => {
      const place = line(tenant, job.priority);
      job.home = tenant;
      job.place = place;
      place.push(job);
    },
    putBack: (tenant, job) => {
      const place = line(tenant, job.priority);
      job.home = tenant;
      job.place = place;
      place.insert(job, earlier);
    },
  };
}
