import { relative } from 'node:path';
import { type Config, maskSecrets } from './config.ts';

/** What `npm start` prints once it is ready: the address, what was chosen for each part, and what to try next. */
export function banner(config: Config, url: string, startedIn: number): string {
  const home = (path: string) => relative(process.cwd(), path) || '.';
  const parts: readonly (readonly [string, string, string])[] = [
    ['roles', config.roles.join(', '), 'ROLES'],
    ['database', database(config, home), 'DATABASE_URL'],
    ['queue', maskSecrets(config.queueUrl).replace(config.dataDirectory, home(config.dataDirectory)), 'QUEUE_URL'],
    ['live events', maskSecrets(config.relayUrl), 'RELAY_URL'],
    [
      'objects',
      maskSecrets(config.objectsUrl).replace(config.dataDirectory, home(config.dataDirectory)),
      'OBJECTS_URL',
    ],
    ['agents run', `${config.executorUrl} ${config.workerConcurrency} at a time`, 'EXECUTOR_URL, WORKER_CONCURRENCY'],
    ['repositories', config.repoProtocols.join(', '), 'REPO_PROTOCOLS'],
    ['data', home(config.dataDirectory), 'DATA_DIR'],
  ];
  const width = Math.max(...parts.map(([, value]) => value.length));
  const lines = parts.map(([name, value, variable]) => `  ${name.padEnd(13)}${value.padEnd(width + 2)}${variable}`);
  return [
    `Millrace is ready at ${url} after ${(startedIn / 1000).toFixed(1)} s.`,
    '',
    ...lines,
    '',
    'Try next, in another terminal:',
    '  npm run demo                                     a run on this very repository, live',
    `  curl ${url}/v1/runs${' '.repeat(Math.max(1, 44 - url.length - 8))}what ran`,
    `  open ${url}/openapi.json${' '.repeat(Math.max(1, 44 - url.length - 13))}the API (also /metrics, /readyz)`,
    '',
    'Ctrl-C drains: runs that are under way get time to end, the others stay queued.',
    '',
  ].join('\n');
}

function database(config: Config, home: (path: string) => string): string {
  if (config.databaseUrl !== 'embedded:') return maskSecrets(config.databaseUrl);
  return `PostgreSQL from npm, in ${home(config.dataDirectory)}/postgres`;
}
