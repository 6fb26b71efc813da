/**
 * The machine as Redis scripts, one per step (see `machine.ts`, which says the same in TypeScript). Each touches one key, so that they
 * work in a cluster, and takes the time from the server. Fences have 16 digits: they are compared as text and never written by
 * Lua's own number format, which keeps 14.
 *
 * A record is a hash: st state, fp fingerprint, f fence, o owner, a attempt, x on expired lease, r result, c created, u updated,
 * l lease until, e expires, p:NAME value of a phase. Redis deletes it at its time; records that are parked, or must be when they die,
 * have none.
 */
const prelude = `
local key = KEYS[1]
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local function text(number) return string.format('%.0f', number) end
`;

/** Ends with 0 when the caller's fence (ARGV[1]) is stale. */
const held = `${prelude}
local own = redis.call('HMGET', key, 'st', 'f', 'x')
if own[1] ~= 'running' or own[2] ~= ARGV[1] then return 0 end
`;

/** ARGV: fingerprint, owner, on expired lease, lease, ttl. Returns status, now, and the record's fields. */
export const begin: string = `${prelude}
local r = redis.call('HMGET', key, 'st', 'fp', 'f', 'a', 'x', 'l', 'u')
local state = r[1]
if state and r[2] ~= ARGV[1] then return {'mismatch', text(now), redis.call('HGETALL', key)} end
local dead = state == 'running' and tonumber(r[6]) <= now
if dead and r[5] == 'park' then
  redis.call('HSET', key, 'st', 'parked', 'u', text(now))
  state = 'parked'
  dead = false
end
if state and state ~= 'retryable' and not dead then return {'existing', text(now), redis.call('HGETALL', key)} end
local fence = clock[1] * 1000000 + clock[2]
if state then fence = math.max(fence, tonumber(r[3]) + 1) end
local attempt = state and tonumber(r[4]) + 1 or 1
local lease = now + ARGV[4]
local expires = lease + ARGV[5]
redis.call('HSET', key, 'st', 'running', 'fp', ARGV[1], 'f', text(fence), 'o', ARGV[2], 'a', attempt, 'x', ARGV[3],
  'u', text(now), 'l', text(lease), 'e', text(expires))
if not state then redis.call('HSET', key, 'c', text(now)) end
if ARGV[3] == 'park' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, text(expires)) end
if not state then return {'new', text(now), text(fence), text(lease), text(expires)} end
return {dead and 'takeover' or 'again', text(now), redis.call('HGETALL', key)}
`;

/** ARGV: fence, lease, ttl. */
export const extend: string = `${held}
local lease = now + ARGV[2]
local expires = lease + ARGV[3]
redis.call('HSET', key, 'l', text(lease), 'e', text(expires))
if own[3] ~= 'park' then redis.call('PEXPIREAT', key, text(expires)) end
return 1
`;

/** ARGV: fence, phase, value. */
export const checkpoint: string = `${held}
redis.call('HSET', key, 'p:' .. ARGV[2], ARGV[3])
return 1
`;

/** ARGV: fence, result, ttl. */
export const complete: string = `${held}
local expires = now + ARGV[3]
redis.call('HSET', key, 'st', 'done', 'r', ARGV[2], 'u', text(now), 'l', text(now), 'e', text(expires))
redis.call('PEXPIREAT', key, text(expires))
return 1
`;

/** ARGV: fence, state, ttl. */
export const release: string = `${held}
local expires = now + ARGV[3]
redis.call('HSET', key, 'st', ARGV[2], 'u', text(now), 'l', text(now), 'e', text(expires))
if ARGV[2] == 'parked' then redis.call('PERSIST', key) else redis.call('PEXPIREAT', key, text(expires)) end
return 1
`;

/** ARGV: fence, state, ttl, result (only for done). */
export const resolve: string = `${prelude}
local own = redis.call('HMGET', key, 'st', 'f')
if own[1] ~= 'parked' or own[2] ~= ARGV[1] then return 0 end
local expires = now + ARGV[3]
redis.call('HSET', key, 'st', ARGV[2], 'u', text(now), 'e', text(expires))
if ARGV[2] == 'done' then redis.call('HSET', key, 'r', ARGV[4]) end
redis.call('PEXPIREAT', key, text(expires))
return 1
`;

/** Parks one dead execution whose operation parks. */
export const parkDead: string = `${prelude}
local own = redis.call('HMGET', key, 'st', 'x', 'l')
if own[1] ~= 'running' or own[2] ~= 'park' or tonumber(own[3]) > now then return 0 end
redis.call('HSET', key, 'st', 'parked', 'u', text(now))
return 1
`;
