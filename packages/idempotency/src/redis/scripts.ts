/**
 * The machine as Redis scripts, one per step (see `machine.ts`, which says the same in TypeScript). Each touches one key, so that they
 * work in a cluster, and takes the time from the server. Fences have 16 digits: they are carried as text, because Lua's own number
 * format keeps 14.
 *
 * A record is one string (one read and one write per step; a hash costs twice the server's time): a head line of
 * `state fence attempt created updated lease-until expires on-expired phases-length fingerprint owner`, then the finished phases as
 * members of a JSON object in ASCII, then the result. Redis deletes it at its time; records that are parked, or must be when they die,
 * have none.
 */
const prelude = `
local key = KEYS[1]
local clock = redis.call('TIME')
local micros = string.format('%06d', clock[2])
local now = clock[1] .. string.sub(micros, 1, 3)
local function after(ms) return string.format('%.0f', now + ms) end
local raw = redis.call('GET', key)
local state, fence, attempt, created, updated, lease, expires, policy, size, fingerprint, owner, at
if raw then
  state, fence, attempt, created, updated, lease, expires, policy, size, fingerprint, owner, at =
    string.match(raw, '^(%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+) (%S+)\\n()')
end
local function phases() return raw and string.sub(raw, at, at + size - 1) or '' end
local function write(body, ...)
  local head = table.concat({state, fence, attempt, created, updated, lease, expires, policy, size, fingerprint, owner}, ' ')
  redis.call('SET', key, head .. '\\n' .. body, ...)
end
`;

/** Ends with 0 when the caller's fence (ARGV[1]) is stale. */
const held = `${prelude}
if state ~= 'running' or fence ~= ARGV[1] then return 0 end
`;

/** ARGV: fingerprint, owner, on expired lease, lease, ttl. Returns status, now, and the record. */
export const begin: string = `${prelude}
if state and fingerprint ~= ARGV[1] then return {'mismatch', now, raw} end
local dead = state == 'running' and tonumber(lease) <= tonumber(now)
if dead and policy == 'park' then
  state, updated = 'parked', now
  write(phases())
  return {'existing', now, redis.call('GET', key)}
end
if state and state ~= 'retryable' and not dead then return {'existing', now, raw} end
local known = raw
local last = fence
fence = clock[1] .. micros
if last and tonumber(last) >= tonumber(fence) then fence = string.format('%.0f', last + 1) end
attempt = known and string.format('%d', attempt + 1) or '1'
created = created or now
state, updated, lease, policy, fingerprint, owner = 'running', now, after(ARGV[4]), ARGV[3], ARGV[1], ARGV[2]
expires = after(ARGV[4] + ARGV[5])
size = size or '0'
if policy == 'park' then write(phases()) else write(phases(), 'PXAT', expires) end
if not known then return {'new', now, fence, lease, expires} end
return {dead and 'takeover' or 'again', now, redis.call('GET', key)}
`;

/** ARGV: fence, lease, ttl. */
export const extend: string = `${held}
lease, expires = after(ARGV[2]), after(ARGV[2] + ARGV[3])
if policy == 'park' then write(phases()) else write(phases(), 'PXAT', expires) end
return 1
`;

/** ARGV: fence, the phase as a member of a JSON object. */
export const checkpoint: string = `${held}
local body = phases()
body = body .. (body == '' and '' or ',') .. ARGV[2]
size = #body
write(body, 'KEEPTTL')
return 1
`;

/** ARGV: fence, result, ttl. */
export const complete: string = `${held}
state, updated, lease, expires = 'done', now, now, after(ARGV[3])
write(phases() .. ARGV[2], 'PXAT', expires)
return 1
`;

/** ARGV: fence, state, ttl. */
export const release: string = `${held}
state, updated, lease, expires = ARGV[2], now, now, after(ARGV[3])
if state == 'parked' then write(phases()) else write(phases(), 'PXAT', expires) end
return 1
`;

/** ARGV: fence, state, ttl, result (empty unless done). */
export const resolve: string = `${prelude}
if state ~= 'parked' or fence ~= ARGV[1] then return 0 end
state, updated, expires = ARGV[2], now, after(ARGV[3])
write(phases() .. ARGV[4], 'PXAT', expires)
return 1
`;

/** Parks one dead execution whose operation parks. */
export const parkDead: string = `${prelude}
if state ~= 'running' or policy ~= 'park' or tonumber(lease) > tonumber(now) then return 0 end
state, updated = 'parked', now
write(phases())
return 1
`;
