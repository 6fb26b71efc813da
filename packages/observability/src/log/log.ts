import { createRequire } from 'node:module';
import { trace } from '@opentelemetry/api';
import { type DestinationStream, type Logger, type LoggerOptions, pino } from 'pino';
import type { Context } from '../context.ts';
import { InvalidOptionError } from '../errors.ts';
import { redact } from './redact.ts';

/** Options of the log. */
export interface LogOptions {
  /** pino's level: `trace`, `debug`, `info`, `warn`, `error`, `fatal` or `silent`. @default 'info' */
  readonly level?: string;
  /**
   * Lines for people instead of JSON; needs the package `pino-pretty`. `'auto'`: when stdout is a terminal and the package is
   * installed.
   * @default 'auto'
   */
  readonly pretty?: boolean | 'auto';
  /** Where lines go. @default stdout */
  readonly destination?: DestinationStream;
  /** Lines per second and event name for hot events; what is more is counted. @default 5 */
  readonly hotLinesPerSecond?: number;
  /**
   * Whether lines of a handler carry the ids of its job. They follow the work by `AsyncLocalStorage`, which before Node 24 costs on every
   * promise of the process; `obs.context.run` works either way.
   * @default true, unless nothing is written (`level: 'silent'`)
   */
  readonly ids?: boolean;
}

/** Creates the pino log of a service. Each line passes through {@link redact} just before it is written. */
export function createLog(service: string, options: LogOptions, context: Context): Logger {
  const { level = 'info', pretty = 'auto' } = options;
  const settings: LoggerOptions = {
    level,
    base: { service, pid: process.pid },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    mixin: () => correlation(context),
    hooks: { streamWrite: redact },
  };
  const destination = options.destination ?? prettyStream(pretty);
  return destination === undefined ? pino(settings) : pino(settings, destination);
}

/** Ids of the work that writes the line. */
function correlation(context: Context): Record<string, unknown> {
  const { runId, jobId, ...rest } = context.get();
  const span = trace.getActiveSpan()?.spanContext();
  return {
    ...rest,
    ...(runId !== undefined && { run_id: runId }),
    ...(jobId !== undefined && { job_id: jobId }),
    ...(span !== undefined && { trace_id: span.traceId, span_id: span.spanId }),
  };
}

function prettyStream(pretty: boolean | 'auto'): DestinationStream | undefined {
  if (pretty === false || (pretty === 'auto' && !process.stdout.isTTY)) return undefined;
  try {
    const load = createRequire(import.meta.url);
    const build = load('pino-pretty') as (options: object) => DestinationStream;
    return build({ ignore: 'pid,service', translateTime: 'SYS:HH:MM:ss.l' });
  } catch (cause) {
    if (pretty === 'auto') return undefined;
    throw new InvalidOptionError('`log.pretty` needs the package pino-pretty: npm install --save-dev pino-pretty.', {
      cause,
    });
  }
}
