import { describe, expect, test } from 'vitest';
import { ConfigError, maskSecrets, readConfig } from '../src/config.ts';

describe('readConfig', () => {
  test('without any variable everything is embedded and below the data directory', () => {
    const config = readConfig({}, '/srv/app');
    expect(config).toMatchObject({
      port: 8080,
      host: '127.0.0.1',
      dataDirectory: '/srv/app/.millrace',
      databaseUrl: 'embedded:',
      queueUrl: 'sqlite:///srv/app/.millrace/queue.db',
      relayUrl: 'memory:',
      objectsUrl: 'file:///srv/app/.millrace/objects',
      executorUrl: 'process:',
      roles: ['api', 'worker', 'ci', 'janitor'],
      runTimeout: 3_600_000,
    });
  });

  test.each([
    ['PORT', '80a', 'PORT must be a whole number from 0 to 65535, not "80a".'],
    ['PORT', '70000', 'PORT must be a whole number from 0 to 65535, not "70000".'],
    [
      'DATABASE_URL',
      'mysql://me:secret@db/x',
      'DATABASE_URL must be a URL that begins with postgres:// or postgresql://, not "mysql://me:***@db/x".',
    ],
    [
      'QUEUE_URL',
      'amqp://q',
      /^QUEUE_URL must be a URL that begins with sqlite: or memory: or .*, not "amqp:\/\/q"\.$/,
    ],
    ['RUN_TIMEOUT', 'soon', "RUN_TIMEOUT must be a duration such as '30s' or '2h', not \"soon\"."],
    ['ROLES', 'api,cook', 'ROLES must be a comma-separated choice of api, worker, ci, janitor, not "api,cook".'],
    ['LOG_LEVEL', 'loud', 'LOG_LEVEL must be trace, debug, info, warn, error, fatal or silent, not "loud".'],
  ])('%s=%s stops with one line that names the variable and hides secrets', (name, value, message) => {
    const read = () => readConfig({ [name]: value });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });

  test('an empty variable counts as absent', () => {
    expect(readConfig({ PORT: '' }).port).toBe(8080);
  });

  test('repositories of this machine are allowed on loopback only', () => {
    expect(readConfig({}).repoProtocols).toContain('file');
    expect(readConfig({ HOST: '0.0.0.0' }).repoProtocols).toEqual(['https', 'ssh']);
    expect(readConfig({ HOST: '0.0.0.0', REPO_PROTOCOLS: 'file,https' }).repoProtocols).toEqual(['file', 'https']);
  });
});

test('maskSecrets hides passwords and queries', () => {
  expect(maskSecrets('postgres://me:p%40ss@db:5432/x')).toBe('postgres://me:***@db:5432/x');
  expect(maskSecrets('redis://:pw@cache')).toBe('redis://:***@cache');
  expect(maskSecrets('postgres://db/x?password=p')).toBe('postgres://db/x?***');
});
