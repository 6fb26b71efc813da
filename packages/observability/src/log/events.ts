import type { Logger } from 'pino';
import type { Clock } from '../clock.ts';

/** Levels of the lines that the instrumentation writes. */
export type EventLevel = 'debug' | 'info' | 'warn' | 'error';

/** Writes one line per event, with the event's name in `event`. */
export interface EventLog {
  write(level: EventLevel, event: string, fields: Readonly<Record<string, unknown>>): void;
  /** Like `write`, but at most so many lines per second and event; the next line tells how many were left out. */
  sample(level: EventLevel, event: string, fields: Readonly<Record<string, unknown>>): void;
}

interface Window {
  startedAt: number;
  written: number;
  suppressed: number;
}

/** Creates an event log; `onSuppressed` is told of each line that sampling leaves out. */
export function createEventLog(
  log: Logger,
  clock: Clock,
  linesPerSecond: number,
  onSuppressed: (event: string) => void,
): EventLog {
  const windows = new Map<string, Window>();
  const write: EventLog['write'] = (level, event, fields) => log[level]({ event, ...fields });
  return {
    write,
    sample: (level, event, fields) => {
      if (!log.isLevelEnabled(level)) return;
      const now = clock.monotonic();
      let window = windows.get(event);
      if (window === undefined || now - window.startedAt >= 1_000) {
        const suppressed = window?.suppressed ?? 0;
        window = { startedAt: now, written: 1, suppressed: 0 };
        windows.set(event, window);
        write(level, event, suppressed > 0 ? { ...fields, suppressed } : fields);
        return;
      }
      if (window.written < linesPerSecond) {
        window.written += 1;
        write(level, event, fields);
        return;
      }
      window.suppressed += 1;
      onSuppressed(event);
    },
  };
}
