import { randomUUID } from 'node:crypto';
import Database from 'libsql';

/** A run as the described system keeps it: everything in one row, the log as JSON in it. Times are milliseconds. */
export interface BaselineRun {
  readonly id: string;
  readonly command: string;
  readonly directory: string;
  readonly branch: string;
  readonly status: 'queued' | 'running' | 'succeeded' | 'failed';
  /** When the request came in. */
  readonly requested_at: number;
  /** When it was queued, after the clone. */
  readonly created_at: number;
  readonly claimed_at: number | null;
  readonly started_at: number | null;
  readonly finished_at: number | null;
}

/** Runs and jobs in one SQLite file, in its default journal mode (no WAL), as the described system has them. */
export interface BaselineStore {
  add(run: Pick<BaselineRun, 'id' | 'command' | 'directory' | 'branch' | 'requested_at'>): void;
  /** Takes the oldest job that is due, or nothing. */
  claim(): BaselineRun | undefined;
  started(id: string): void;
  finished(id: string, status: 'succeeded' | 'failed', logs: readonly string[], patch: string): void;
  all(): readonly BaselineRun[];
}

export function openStore(path: string): BaselineStore {
  const db = new Database(path, { timeout: 5 });
  db.exec(`
    PRAGMA foreign_keys = ON;
    CREATE TABLE runs (id TEXT PRIMARY KEY, command TEXT NOT NULL, directory TEXT NOT NULL, branch TEXT NOT NULL,
      status TEXT NOT NULL, logs TEXT, patch TEXT,
      requested_at REAL NOT NULL, created_at REAL NOT NULL, claimed_at REAL, started_at REAL, finished_at REAL);
    CREATE TABLE jobs (id TEXT PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs, status TEXT NOT NULL,
      available_at REAL NOT NULL, created_at REAL NOT NULL);
    CREATE INDEX jobs_due ON jobs (status, available_at);
  `);
  const next = db.prepare(
    `SELECT id, run_id FROM jobs WHERE status = 'queued' AND available_at <= ? ORDER BY created_at LIMIT 1`,
  );
  const insertRun = db.prepare(
    `INSERT INTO runs (id, command, directory, branch, status, requested_at, created_at) VALUES (?, ?, ?, ?, 'queued', ?, ?)`,
  );
  const insertJob = db.prepare(`INSERT INTO jobs VALUES (?, ?, 'queued', ?, ?)`);
  const take = db.prepare(`UPDATE jobs SET status = 'running' WHERE id = ?`);
  const claimed = db.prepare(`UPDATE runs SET status = 'running', claimed_at = ? WHERE id = ? RETURNING *`);
  const started = db.prepare(`UPDATE runs SET started_at = ? WHERE id = ?`);
  const finish = db.prepare(`UPDATE runs SET status = ?, logs = ?, patch = ?, finished_at = ? WHERE id = ?`);
  const settle = db.prepare(`UPDATE jobs SET status = ? WHERE run_id = ?`);
  return {
    add({ id, command, directory, branch, requested_at }) {
      const now = Date.now();
      insertRun.run(id, command, directory, branch, requested_at, now);
      insertJob.run(randomUUID(), id, now, now);
    },
    claim: db.transaction(() => {
      const job = next.get(Date.now()) as { id: string; run_id: string } | undefined;
      if (!job) return undefined;
      take.run(job.id);
      return claimed.get(Date.now(), job.run_id) as BaselineRun;
    }).immediate,
    started: (id) => void started.run(Date.now(), id),
    finished(id, status, logs, patch) {
      finish.run(status, JSON.stringify(logs), patch, Date.now(), id);
      settle.run(status, id);
    },
    all: () => db.prepare('SELECT * FROM runs').all() as BaselineRun[],
  };
}
