import type { ClassRow, LineRow, TenantRow } from '../engine/rows.ts';
import { type Tables, turnOf } from '../engine/tables.ts';
import { createRings } from '../memory/ring.ts';
import { newLine } from '../memory/tenants.ts';
import { type Ahead, createAhead, loadWhile } from './ahead.ts';
import type { Connection } from './connection.ts';
import type { SqlValue } from './driver.ts';
import type { JoinedJob } from './job-rows.ts';
import type { SqliteJobs } from './jobs.ts';
import { listIn, runForMany } from './many.ts';
import { hot, saveLine } from './statements.ts';
import { type SqliteTenants, type StoredTenant, toTenantRow } from './tenants.ts';

type RingTables = Pick<
  Tables,
  'line' | 'saveLine' | 'removeLine' | 'heldLines' | 'ringTop' | 'nextClass' | 'openClass' | 'saveClass' | 'removeClass'
>;

interface StoredLine {
  readonly score: number;
  readonly held: number;
}
type RingedLine = Pick<StoredLine, 'score'> & { readonly tenant: TenantRow; readonly head?: JoinedJob };
type StoredClass = Pick<ClassRow, 'priority' | 'since'>;

/** Classes read at once when the first few were not enough. */
const manyClasses = 16;

/** What is to become of a row in the file. One that is gone stays known, so that the file is not asked for it again. */
type Fate = 'clean' | 'write' | 'remove' | 'gone';

/**
 * Lines and classes in SQLite. During a call those that were touched live in the rings of the memory adapter, which keep their order; the others
 * come from the file, which does not change before {@link SqliteRings.flush}.
 */
export class SqliteRings implements RingTables {
  readonly #connection: Connection;
  readonly #queue: number;
  readonly #tenants: SqliteTenants;
  readonly #jobs: SqliteJobs;
  readonly #aging: () => number;
  #live: ReturnType<typeof createRings>;
  /** Those that were touched, by priority and tenant. */
  #lines = new Map<number, Map<string, LineRow>>();
  #lineFates = new Map<LineRow, 'write' | 'remove'>();
  #classFates = new Map<number, { readonly row: ClassRow; readonly fate: Fate }>();
  #rings = new Map<number, Ahead<RingedLine>>();
  #classes: Ahead<StoredClass>;

  constructor(connection: Connection, queue: number, tenants: SqliteTenants, jobs: SqliteJobs, aging: () => number) {
    this.#connection = connection;
    this.#queue = queue;
    this.#tenants = tenants;
    this.#jobs = jobs;
    this.#aging = aging;
    this.#live = createRings(aging);
    this.#classes = this.#readClasses();
  }

  /** Forgets what was read: another call, another state of the file. */
  reset(): void {
    if (this.#lines.size + this.#classFates.size + this.#rings.size > 0) {
      this.#lines = new Map();
      this.#lineFates = new Map();
      this.#classFates = new Map();
      this.#rings = new Map();
    }
    this.#live = createRings(this.#aging);
    this.#classes = this.#readClasses();
  }

  line(tenant: TenantRow, priority: number): LineRow {
    const known = this.#linesOf(priority).get(tenant.name);
    if (known !== undefined) return known;
    // A tenant without ready jobs has no lines.
    const stored =
      tenant.ready === 0 ? undefined : this.#connection.get<StoredLine>(hot.line, this.#queue, tenant.name, priority);
    return this.#load(tenant, priority, stored);
  }

  saveLine(row: LineRow): void {
    this.#lineFates.set(row, 'write');
    this.#live.put(row);
  }

  removeLine(row: LineRow): void {
    row.state = 'new';
    this.#lineFates.set(row, 'remove');
    this.#live.put(row);
  }

  heldLines(tenant: TenantRow): LineRow[] {
    const stored = this.#connection.all<StoredLine & { readonly priority: number }>(
      hot.heldLines,
      this.#queue,
      tenant.name,
    );
    for (const { priority, ...line } of stored) {
      if (!this.#linesOf(priority).has(tenant.name)) this.#load(tenant, priority, line);
    }
    const lines = [...this.#lines.values()].map((known) => known.get(tenant.name));
    return lines.filter((line) => line?.state === 'held') as LineRow[];
  }

  ringTop(priority: number): LineRow | undefined {
    return loadWhile(
      this.#ringOf(priority),
      () => this.#live.ringTop(priority),
      (stored, top) => stored.score < top.score,
      (stored) => {
        const line = this.#load(this.#tenants.take(stored.tenant), priority, { score: stored.score, held: 0 });
        if (stored.head !== undefined) this.#jobs.takeHead(line, stored.head);
      },
    );
  }

  nextClass(): ClassRow | undefined {
    const aging = this.#aging();
    return loadWhile(
      this.#classes,
      () => this.#live.nextClass(),
      (stored, top) => {
        const difference = turnOf(stored, aging) - turnOf(top, aging);
        return difference === 0 ? stored.priority > top.priority : difference < 0;
      },
      (stored) => this.#loadClass(stored),
    );
  }

  openClass(priority: number, since: number): void {
    const known = this.#classFates.get(priority);
    if (known !== undefined && !isAway(known.fate)) return;
    const stored =
      known === undefined ? this.#connection.get<StoredClass>(hot.class, this.#queue, priority) : undefined;
    if (stored === undefined) this.saveClass({ priority, since, classSlot: -1 });
    else this.#loadClass(stored);
  }

  saveClass(row: ClassRow): void {
    this.#classFates.set(row.priority, { row, fate: 'write' });
    this.#live.saveClass(row);
  }

  removeClass(row: ClassRow): void {
    this.#classFates.set(row.priority, { row, fate: 'remove' });
    this.#live.removeClass(row);
  }

  /** Writes what has changed. What was read ahead is of the past then, so this ends a call. */
  flush(): void {
    this.#writeLines();
    this.#writeClasses();
  }

  #writeLines(): void {
    const written: SqlValue[][] = [];
    const removed = new Map<number, string[]>();
    for (const [{ tenant, priority, score, state }, fate] of this.#lineFates) {
      if (fate === 'write') written.push([this.#queue, tenant.name, priority, score, state === 'held' ? 1 : 0]);
      else listIn(removed, priority).push(tenant.name);
    }
    for (const [priority, tenants] of removed) {
      this.#connection.run(hot.removeLines, this.#queue, priority, JSON.stringify(tenants));
    }
    runForMany(this.#connection, saveLine, written);
    this.#lineFates.clear();
  }

  #ringOf(priority: number): Ahead<RingedLine> {
    const known = this.#rings.get(priority);
    if (known !== undefined) return known;
    // Many lines: each is about to be asked for its first job.
    const lines = this.#linesOf(priority);
    const isLive = ({ tenant }: RingedLine): boolean => lines.has(tenant.name);
    const made = createAhead(
      (limit, offset) => this.#readRing(priority, limit, offset),
      isLive,
      () => this.#jobs.wanted + 1,
    );
    this.#rings.set(priority, made);
    return made;
  }

  #readRing(priority: number, limit: number, offset: number): RingedLine[] {
    const values = [this.#queue, priority, limit, offset];
    type Stored = StoredTenant & Pick<StoredLine, 'score'>;
    if (offset === 0) {
      const stored = this.#connection.all<Stored>(hot.ring, ...values);
      return stored.map((line) => ({ score: line.score, tenant: toTenantRow(line) }));
    }
    const stored = this.#connection.all<Stored & JoinedJob>(hot.ringWithHeads, ...values);
    return stored.map((line) => ({ score: line.score, tenant: toTenantRow(line), head: line }));
  }

  #readClasses(): Ahead<StoredClass> {
    const read = (limit: number, offset: number): StoredClass[] =>
      this.#connection.all(hot.classes, this.#queue, limit, offset);
    return createAhead(
      read,
      ({ priority }) => this.#classFates.has(priority),
      () => manyClasses,
    );
  }

  #load(tenant: TenantRow, priority: number, stored: StoredLine | undefined): LineRow {
    const line = newLine(tenant, priority);
    if (stored !== undefined) {
      line.score = stored.score;
      line.state = stored.held === 1 ? 'held' : 'ringed';
      this.#live.put(line);
    }
    this.#linesOf(priority).set(tenant.name, line);
    return line;
  }

  #linesOf(priority: number): Map<string, LineRow> {
    const known = this.#lines.get(priority);
    if (known !== undefined) return known;
    const made = new Map<string, LineRow>();
    this.#lines.set(priority, made);
    return made;
  }

  #loadClass({ priority, since }: StoredClass): void {
    const row = { priority, since, classSlot: -1 };
    this.#classFates.set(priority, { row, fate: 'clean' });
    this.#live.saveClass(row);
  }

  #writeClasses(): void {
    const removed: number[] = [];
    for (const [priority, { row, fate }] of this.#classFates) {
      if (fate === 'write') {
        this.#connection.run(hot.saveClass, this.#queue, priority, row.since, turnOf(row, this.#aging()));
        this.#classFates.set(priority, { row, fate: 'clean' });
      } else if (fate === 'remove') {
        removed.push(priority);
        this.#classFates.set(priority, { row, fate: 'gone' });
      }
    }
    if (removed.length > 0) this.#connection.run(hot.removeClasses, this.#queue, JSON.stringify(removed));
  }
}

function isAway(fate: Fate): boolean {
  return fate === 'remove' || fate === 'gone';
}
