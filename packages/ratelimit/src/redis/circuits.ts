import type { CircuitRecord, CircuitStore } from '../store.ts';
import { type Keys, type RedisClient, run, type Script, script, serverTime } from './client.ts';

/*
 * KEYS: circuit (hash: until, epoch, ok), probes (zset, score = end of lease). A closed circuit has no keys.
 * An open one is forgotten a day after its last change: nobody has called it since.
 */
const prelude = `${serverTime}
local C, P = KEYS[1], KEYS[2]
local until_ = tonumber(redis.call('HGET', C, 'until') or '0')
local function record(granted)
  local epoch = tonumber(redis.call('HGET', C, 'epoch') or '0')
  return {epoch, epoch == 0 and -1 or math.max(0, until_ - nowMs), granted or 0}
end
local function open(ms)
  until_ = nowMs + ms
  redis.call('HSET', C, 'until', string.format('%.0f', until_), 'ok', 0, 'epoch', string.format('%.0f', now))
  redis.call('DEL', P)
  redis.call('PEXPIRE', C, 86400000 + ms)
end
`;

const scripts = {
  read: script(`${prelude}return record()`),
  open: script(`${prelude}open(tonumber(ARGV[1])) return record()`),
  probe: script(`${prelude}
local granted = 0
if redis.call('EXISTS', C) == 1 and nowMs >= until_ then
  redis.call('ZREMRANGEBYSCORE', P, '-inf', nowMs)
  if redis.call('ZCARD', P) < tonumber(ARGV[2]) then
    granted = 1
    redis.call('ZADD', P, string.format('%.0f', nowMs + tonumber(ARGV[3])), ARGV[1])
    redis.call('PEXPIRE', P, 86400000)
  end
end
return record(granted)
`),
  report: script(`${prelude}
if redis.call('ZREM', P, ARGV[1]) == 1 and ARGV[2] ~= 'none' then
  if ARGV[2] == 'failed' then open(tonumber(ARGV[4]))
  elseif redis.call('HINCRBY', C, 'ok', 1) >= tonumber(ARGV[3]) then redis.call('DEL', C, P) end
end
return record()
`),
};

/** Circuit breaker state in Redis. */
export class RedisCircuits implements CircuitStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async read(key: string): Promise<CircuitRecord> {
    return (await this.#run(scripts.read, key, [])).record;
  }

  async open(key: string, forMs: number): Promise<CircuitRecord> {
    return (await this.#run(scripts.open, key, [Math.ceil(forMs)])).record;
  }

  probe(key: string, id: string, max: number, leaseMs: number): Promise<{ granted: boolean; record: CircuitRecord }> {
    return this.#run(scripts.probe, key, [id, max, Math.ceil(leaseMs)]);
  }

  async report(
    key: string,
    id: string,
    ok: boolean | undefined,
    needed: number,
    openMs: number,
  ): Promise<CircuitRecord> {
    const verdict = ok === undefined ? 'none' : ok ? 'ok' : 'failed';
    return (await this.#run(scripts.report, key, [id, verdict, needed, Math.ceil(openMs)])).record;
  }

  async #run(
    operation: Script,
    key: string,
    args: readonly (string | number)[],
  ): Promise<{ granted: boolean; record: CircuitRecord }> {
    const keys = [this.#keys.name('circuit', key), this.#keys.name('circuit', key, 'probes')];
    const [epoch, openFor, granted] = (await run(this.#client, operation, keys, args)) as [number, number, number];
    const state = openFor < 0 ? 'closed' : openFor > 0 ? 'open' : 'half-open';
    return { granted: granted === 1, record: { state, openFor: Math.max(0, openFor), epoch } };
  }
}
