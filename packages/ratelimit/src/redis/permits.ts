import type { PermitAnswer, PermitExchange, PermitStore } from '../store.ts';
import { type Keys, type RedisClient, run, script, serverTime } from './client.ts';

/*
 * KEYS: holders (zset, score = end of lease), waiters (zset, score = fair-queuing tag), waiters' leases (zset), fences of promoted waiters
 * (hash), book (hash: fence counter f, virtual time v, order s, finish tag per tenant t:...).
 * The order of arrival breaks ties between tags; its weight is too small to move a share.
 */
const exchangeScript = script(`${serverTime}
local H, W, L, G, B = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local limit, lease = tonumber(ARGV[1]), tonumber(ARGV[2])
local release, renew, acquire = cjson.decode(ARGV[3]), cjson.decode(ARGV[4]), cjson.decode(ARGV[5])
local expires = string.format('%.0f', nowMs + lease)
local granted, lost = {}, {}
for i = 1, #release, 1000 do
  local part = {}
  for j = i, math.min(#release, i + 999) do part[#part + 1] = release[j] end
  if redis.call('ZREM', H, unpack(part)) < #part then
    redis.call('ZREM', W, unpack(part))
    redis.call('ZREM', L, unpack(part))
  end
  redis.call('HDEL', G, unpack(part))
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', H, '-inf', nowMs)) do
  redis.call('ZREM', H, id)
  redis.call('HDEL', G, id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', L, '-inf', nowMs)) do
  redis.call('ZREM', W, id)
  redis.call('ZREM', L, id)
end
for _, id in ipairs(renew) do
  if redis.call('ZSCORE', H, id) then redis.call('ZADD', H, expires, id)
  elseif redis.call('ZSCORE', L, id) then redis.call('ZADD', L, expires, id)
  else lost[#lost + 1] = id end
end
local held, waiting = redis.call('ZCARD', H), redis.call('ZCARD', W)
local first = 1
if waiting == 0 and #acquire > 0 then
  local n = math.min(#acquire, math.max(0, limit - held))
  if n > 0 then
    local fence = redis.call('HINCRBY', B, 'f', n) - n
    for i = 1, n, 1000 do
      local part = {}
      for j = i, math.min(n, i + 999) do
        part[#part + 1] = expires
        part[#part + 1] = acquire[j][1]
        granted[#granted + 1] = acquire[j][1]
        granted[#granted + 1] = fence + j
      end
      redis.call('ZADD', H, unpack(part))
    end
    held = held + n
  end
  first = n + 1
end
if first <= #acquire then
  local v = tonumber(redis.call('HGET', B, 'v') or '0')
  for i = first, #acquire do
    local id, tenant, weight = acquire[i][1], 't:' .. acquire[i][2], acquire[i][3]
    local tag = math.max(v, tonumber(redis.call('HGET', B, tenant) or '0'))
    redis.call('HSET', B, tenant, string.format('%.17g', tag + 1 / weight))
    local order = redis.call('HINCRBY', B, 's', 1)
    redis.call('ZADD', W, string.format('%.17g', tag + order * 1e-7), id)
    redis.call('ZADD', L, expires, id)
    waiting = waiting + 1
  end
end
if waiting > 0 and held < limit then
  local v = tonumber(redis.call('HGET', B, 'v') or '0')
  local popped = redis.call('ZPOPMIN', W, limit - held)
  for i = 1, #popped, 2 do
    local id = popped[i]
    v = math.max(v, tonumber(popped[i + 1]))
    redis.call('ZREM', L, id)
    redis.call('ZADD', H, expires, id)
    redis.call('HSET', G, id, redis.call('HINCRBY', B, 'f', 1))
    held, waiting = held + 1, waiting - 1
  end
  if waiting == 0 then
    local fence = redis.call('HGET', B, 'f')
    redis.call('DEL', B)
    redis.call('HSET', B, 'f', fence)
  else redis.call('HSET', B, 'v', string.format('%.17g', v)) end
  redis.call('PEXPIRE', G, 86400000 + lease)
end
local function tell(id)
  local fence = redis.call('HGET', G, id)
  if fence then
    granted[#granted + 1] = id
    granted[#granted + 1] = tonumber(fence)
  end
end
if redis.call('EXISTS', G) == 1 then
  for _, id in ipairs(renew) do tell(id) end
  for i = first, #acquire do tell(acquire[i][1]) end
end
redis.call('PEXPIRE', H, 86400000 + lease)
redis.call('PEXPIRE', B, 604800000 + lease)
if waiting > 0 then
  redis.call('PEXPIRE', W, 86400000 + lease)
  redis.call('PEXPIRE', L, 86400000 + lease)
end
return {granted, lost, held, waiting}
`);

/** Semaphores in Redis: one exchange is one EVALSHA. */
export class RedisPermits implements PermitStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async exchange(key: string, { limit, leaseMs, release, renew, acquire }: PermitExchange): Promise<PermitAnswer> {
    const keys = ['holders', 'waiters', 'leases', 'fences', 'book'].map((part) => this.#keys.name('permit', key, part));
    const wishes = acquire.map(({ id, tenant, weight }) => [id, tenant, weight]);
    const args = [limit, Math.ceil(leaseMs), JSON.stringify(release), JSON.stringify(renew), JSON.stringify(wishes)];
    const reply = (await run(this.#client, exchangeScript, keys, args)) as [
      (string | number)[],
      string[],
      number,
      number,
    ];
    const [flat, lost, held, waiting] = reply;
    const granted = [];
    for (let i = 0; i < flat.length; i += 2) granted.push({ id: String(flat[i]), fence: Number(flat[i + 1]) });
    return { granted, lost, held, waiting };
  }
}
