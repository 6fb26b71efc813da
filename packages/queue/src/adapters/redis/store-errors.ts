import { AdapterUnavailableError, StoreUnavailableError } from '../../errors.ts';
import { layout } from './lua/index.ts';

/** First words of Redis errors that pass by themselves: a failover, a restart, a slot on the move, replicas behind. */
const passing =
  /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|UNBLOCKED|MISCONF|NOGOODSLAVE)\b/;

/** An error that Redis answered, as opposed to one of the connection. */
function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}

/** The script is not in the server's cache (restart, failover, SCRIPT FLUSH). */
export function isMissingScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}

/** The queue's state is not there (never opened, or FLUSHALL). */
export function isUnopened(error: unknown): boolean {
  return error instanceof Error && error.message.includes('MILLRACE_UNOPENED');
}

/** Redis has no memory left for writes. */
export function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && /^(OOM\b|ERR .*maxmemory)/.test(error.message);
}

/** @returns the error to throw: StoreUnavailableError where trying again may help */
export function toStoreError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof AdapterUnavailableError) return error;
  forgetCommand(error);
  const version = /MILLRACE_LAYOUT (\d+)/.exec(error.message)?.[1];
  if (version !== undefined) return wrongLayout(version, error);
  if (/^(NOAUTH|WRONGPASS|NOPERM)/.test(error.message)) return refused(error);
  if (isReply(error) && !passing.test(error.message) && !isOutOfMemory(error)) return error;
  return new StoreUnavailableError(`Redis did not carry out the call: ${error.message}`, { cause: error });
}

/** ioredis hangs the command on its errors, and with it payloads: they must not reach a log that prints causes. */
function forgetCommand(error: Error): void {
  if ('command' in error) delete error.command;
}

function refused(cause: Error): AdapterUnavailableError {
  return new AdapterUnavailableError(
    `Redis refuses this user: ${cause.message}. The rights that the adapter needs are listed in docs/adapters/redis.md.`,
    { cause },
  );
}

/** This process and the queue speak different layouts. */
export function wrongLayout(found: string | number, cause?: Error): AdapterUnavailableError {
  return new AdapterUnavailableError(
    `The queue in this Redis has layout ${found}, this version of @millrace/queue has layout ${layout}. ` +
      'Run the version that fits, or drain the queue with the old one and start the new one with another `prefix`.',
    { cause },
  );
}

/** The queue has another number of shards than this process was told. */
export function wrongShards(found: number, wanted: number): AdapterUnavailableError {
  return new AdapterUnavailableError(
    `The queue in this Redis has ${found} shard${found === 1 ? '' : 's'}, this process was given \`shards: ${wanted}\`. Tenants would move to other shards, away from ` +
      `their jobs: use \`shards: ${found}\`, or let workers with \`shards: ${found}\` drain the queue while producers already use another \`prefix\` with \`shards: ${wanted}\`.`,
  );
}
