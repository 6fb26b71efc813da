import { readFileSync } from 'node:fs';
import ms from 'ms';
import { z } from 'zod';
import { ConfigError, duration, httpUrl, integer } from '../../config-values.ts';
import type { GithubSettings } from './settings.ts';

const publicUrl = 'https://github.com';

/** The variables about GitHub and its checks. */
export const githubVariables = {
  GITHUB_URL: httpUrl.default(publicUrl),
  GITHUB_API_URL: httpUrl.optional(),
  GITHUB_TOKEN: z.string().min(1).optional(),
  GITHUB_APP_ID: z
    .string()
    .regex(/^[\w.-]+$/, { error: 'must be the id or client id of a GitHub App' })
    .optional(),
  GITHUB_APP_PRIVATE_KEY: z.string().min(1).optional(),
  GITHUB_APP_PRIVATE_KEY_FILE: z.string().min(1).optional(),
  GITHUB_HOOK: z
    .string()
    .regex(/^\/(repos\/[\w.-]+\/[\w.-]+|orgs\/[\w.-]+)\/hooks\/\d+$/, {
      error: 'must be the path of a hook, such as /repos/acme/app/hooks/1 or /orgs/acme/hooks/1',
    })
    .optional(),
  GITHUB_WRITES_PER_MINUTE: integer(1, 1_000_000).optional(),
  GITHUB_WRITES_PER_HOUR: integer(1, 1_000_000).optional(),
  GITHUB_WEBHOOK_SECRET: z.string().default(''),
  CI_SILENCE: duration.default(ms('2m')),
  CI_SLOW_POLL: duration.default(ms('1h')),
  CI_NO_CHECKS: duration.default(ms('10m')),
  CI_CALLS_PER_HOUR: integer(4, 1_000_000).default(1000),
  CI_SWEEP_INTERVAL: duration.default(ms('5m')),
};

type GithubVariables = z.output<z.ZodObject<typeof githubVariables>>;

/** @throws {ConfigError} when an App is given by half, or beside a token. */
export function githubSettings(value: GithubVariables): GithubSettings | undefined {
  const key = privateKeyOf(value);
  const { GITHUB_TOKEN: token, GITHUB_APP_ID: appId } = value;
  if ((appId === undefined) !== (key === undefined)) {
    throw new ConfigError('GITHUB_APP_ID and GITHUB_APP_PRIVATE_KEY (or GITHUB_APP_PRIVATE_KEY_FILE) belong together.');
  }
  if (token && appId)
    throw new ConfigError('GITHUB_TOKEN and GITHUB_APP_ID exclude each other; the App is the better one.');
  const server = {
    webUrl: value.GITHUB_URL,
    apiUrl: value.GITHUB_API_URL ?? apiOf(value.GITHUB_URL),
    hook: value.GITHUB_HOOK,
    limits: limitsOf(value),
  };
  if (appId && key) return { ...server, auth: { kind: 'app', appId, privateKey: key } };
  return token ? { ...server, auth: { kind: 'token', token } } : undefined;
}

/** GitHub Enterprise Server has its REST interface below its own name. */
function apiOf(webUrl: string): string {
  return webUrl === publicUrl ? 'https://api.github.com' : `${webUrl}/api/v3`;
}

/** Limits that are given are no longer learned from what the server says. */
function limitsOf(value: GithubVariables): GithubSettings['limits'] {
  const { GITHUB_WRITES_PER_MINUTE: writesPerMinute, GITHUB_WRITES_PER_HOUR: writesPerHour } = value;
  if (writesPerMinute === undefined && writesPerHour === undefined) return undefined;
  return { ...(writesPerMinute && { writesPerMinute }), ...(writesPerHour && { writesPerHour }) };
}

/** In a variable the lines of a key are often joined by `\n`. */
function privateKeyOf(value: GithubVariables): string | undefined {
  if (value.GITHUB_APP_PRIVATE_KEY) return value.GITHUB_APP_PRIVATE_KEY.replaceAll('\\n', '\n');
  const file = value.GITHUB_APP_PRIVATE_KEY_FILE;
  if (!file) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new ConfigError(`GITHUB_APP_PRIVATE_KEY_FILE ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
}
