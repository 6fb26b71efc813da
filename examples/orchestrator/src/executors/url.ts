import ms from 'ms';
import { ConfigError } from '../config-values.ts';
import type { ExecutorLimits } from './executor.ts';

/** An EXECUTOR_URL, taken apart. */
export interface ExecutorUrl {
  readonly scheme: string;
  /** What stands before the `?`: a socket's path. */
  readonly path: string;
  readonly limits: ExecutorLimits;
  /** The parameters that are not limits. */
  readonly parameters: ReadonlyMap<string, string>;
}

const units: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/**
 * Reads `scheme:path?memory=2g&cpus=1.5&pids=512&…`.
 * @param known parameters that the executor of this scheme has besides the limits
 * @throws {ConfigError} that says which parameter is wrong, and what there is.
 */
export function parseExecutorUrl(text: string, known: readonly string[]): ExecutorUrl {
  const [, scheme = '', path = '', query = ''] = /^([a-z0-9]+):([^?]*)\??(.*)$/.exec(text) ?? [];
  const parameters = new Map(new URLSearchParams(query));
  const all = ['memory', 'cpus', 'pids', ...known];
  for (const name of parameters.keys()) {
    if (!all.includes(name)) throw wrong(text, `has no parameter ${name}; there are ${all.join(', ')}`);
  }
  const limits: ExecutorLimits = {
    ...limit(text, parameters, 'memory', parseBytes),
    ...limit(text, parameters, 'cpus', Number),
    ...limit(text, parameters, 'pids', Number),
  };
  for (const name of ['memory', 'cpus', 'pids']) parameters.delete(name);
  return { scheme, path: path.replace(/^\/\/(?=\/|$)/, ''), limits, parameters };
}

function limit(
  text: string,
  parameters: ReadonlyMap<string, string>,
  name: keyof ExecutorLimits,
  parse: (value: string) => number,
): ExecutorLimits {
  const value = parameters.get(name);
  if (value === undefined) return {};
  const parsed = parse(value);
  if (parsed > 0 && Number.isFinite(parsed)) return { [name]: parsed };
  throw wrong(text, `has ${name}=${value}; write a number above 0${name === 'memory' ? ' such as 512m or 2g' : ''}`);
}

function parseBytes(value: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmg]?)$/i.exec(value) ?? [];
  return number === '' ? Number.NaN : Math.floor(Number(number) * (units[unit.toLowerCase()] ?? Number.NaN));
}

/** A parameter that must be there. @throws {ConfigError} */
export function required({ scheme, parameters }: ExecutorUrl, name: string, example: string): string {
  const value = parameters.get(name);
  if (value) return value;
  throw new ConfigError(`EXECUTOR_URL ${scheme}: needs the parameter ${name}, such as ${scheme}:?${name}=${example}.`);
}

/** A duration in milliseconds. @throws {ConfigError} */
export function durationOf({ scheme, parameters }: ExecutorUrl, name: string, otherwise: string): number {
  const value = ms((parameters.get(name) ?? otherwise) as ms.StringValue);
  if (value > 0) return value;
  throw new ConfigError(`EXECUTOR_URL ${scheme}: ${name} must be a duration such as ${otherwise}.`);
}

function wrong(text: string, why: string): ConfigError {
  return new ConfigError(`EXECUTOR_URL ${text} ${why}.`);
}
