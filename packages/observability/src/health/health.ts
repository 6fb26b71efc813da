import type { Clock } from '../clock.ts';
import { type Duration, toMilliseconds } from '../duration.ts';
import { InvalidOptionError } from '../errors.ts';
import { redact } from '../log/redact.ts';
import { withTimeout } from '../timeout.ts';

/** Which question a check helps to answer: must the process be restarted, may it get work, has it started? */
export type Probe = 'live' | 'ready' | 'startup';

/** What a check finds. Nothing or `true` is healthy; an error, `false` or `ok: false` is not. */
// biome-ignore lint/suspicious/noConfusingVoidType: a check that only throws when it is unwell returns nothing
export type CheckResult = void | boolean | { readonly ok: boolean; readonly reason?: string };

/** Asks one part whether it works. */
export type CheckFunction = (signal: AbortSignal) => CheckResult | Promise<CheckResult>;

/** Options of {@link Health.check}. */
export interface CheckOptions {
  /** @default 'ready' */
  readonly probe?: Probe;
  /** How long the check may take before it counts as failed. @default '2s' */
  readonly timeout?: Duration;
  /** For how long an answer serves further probes, so that many probes are not load. @default '1s' */
  readonly maxAge?: Duration;
}

/** The state of one check. */
export interface CheckReport {
  readonly ok: boolean;
  /** Why it is not well, without secrets. */
  readonly reason?: string;
  readonly durationMs: number;
}

/** Answer to a probe. */
export interface HealthReport {
  readonly ok: boolean;
  readonly checks: Readonly<Record<string, CheckReport>>;
}

/** Liveness, readiness and startup of this process. */
export interface Health {
  /**
   * Adds a check and answers the function that removes it.
   * @throws InvalidOptionError when the name is taken
   */
  check(name: string, fn: CheckFunction, options?: CheckOptions): () => void;
  /** From now on `/readyz` says no with this reason: the load balancer shall send nothing more. */
  drain(reason?: string): void;
  /** Says that the start is over. Without it `/startupz` is content when all startup checks have passed once. */
  started(): void;
  /** Answers a probe. Never rejects. */
  report(probe: Probe): Promise<HealthReport>;
}

interface Check {
  readonly fn: CheckFunction;
  readonly probe: Probe;
  readonly timeout: number;
  readonly maxAge: number;
  last: { readonly report: CheckReport; readonly at: number } | undefined;
  running: Promise<CheckReport> | undefined;
}

/** Creates the health of a process; `onResult` hears of every check that ran. */
export function createHealth(clock: Clock, onResult: (name: string, ok: boolean) => void): Health {
  const checks = new Map<string, Check>();
  let draining: string | undefined;
  let started = false;

  const run = async (name: string, check: Check): Promise<CheckReport> => {
    const from = clock.monotonic();
    const outcome = await withTimeout(clock, check.timeout, `check ${name}`, async (signal) => check.fn(signal)).then(
      describe,
      (error: unknown) => ({ ok: false, reason: redact(error instanceof Error ? error.message : String(error)) }),
    );
    const report = { ...outcome, durationMs: Math.round(clock.monotonic() - from) };
    check.last = { report, at: clock.monotonic() };
    onResult(name, report.ok);
    return report;
  };

  const ask = (name: string, check: Check): Promise<CheckReport> => {
    const { last } = check;
    if (last !== undefined && clock.monotonic() - last.at < check.maxAge) return Promise.resolve(last.report);
    check.running ??= run(name, check).finally(() => {
      check.running = undefined;
    });
    return check.running;
  };

  const askAll = async (probe: Probe): Promise<Record<string, CheckReport>> => {
    const wanted = [...checks].filter(([, check]) => check.probe === probe);
    const answers = wanted.map(async ([name, check]) => [name, await ask(name, check)] as const);
    return Object.fromEntries(await Promise.all(answers));
  };

  return {
    check: (name, fn, options = {}) => {
      if (checks.has(name))
        throw new InvalidOptionError(`There is a health check \`${name}\` already: choose another name.`);
      const { probe = 'ready' } = options;
      const timeout = toMilliseconds(options.timeout ?? '2s', 'timeout');
      const maxAge = toMilliseconds(options.maxAge ?? '1s', 'maxAge');
      checks.set(name, { fn, probe, timeout, maxAge, last: undefined, running: undefined });
      return () => checks.delete(name);
    },
    drain: (reason = 'The process is shutting down.') => {
      draining = reason;
    },
    started: () => {
      started = true;
    },
    report: async (probe) => {
      if (probe === 'startup' && started) return { ok: true, checks: {} };
      const found = await askAll(probe);
      if (probe === 'ready' && draining !== undefined) found.draining = { ok: false, reason: draining, durationMs: 0 };
      const ok = Object.values(found).every((report) => report.ok);
      if (probe === 'startup' && ok) started = true;
      return { ok, checks: found };
    },
  };
}

function describe(result: CheckResult): { ok: boolean; reason?: string } {
  if (result === undefined || result === true) return { ok: true };
  if (result === false) return { ok: false, reason: 'The check said no.' };
  const { ok, reason } = result;
  return reason === undefined ? { ok } : { ok, reason: redact(reason) };
}
