import { lua } from './lua.ts';

/**
 * First part of every script: time, keys, and the state of the queue (counters, settings, virtual clock) in one packed value,
 * read once and written once per call. KEYS[1] is the prefix of all keys of a shard.
 */
export const queueState: string = lua`
local P = KEYS[1]
local call = redis.call
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)

-- Lua would write large numbers with an exponent.
local function digits(number)
  return string.format('%d', number)
end

local packedQueue = call('GET', P .. 'q')
if not packedQueue then
  return redis.error_reply('MILLRACE_UNOPENED the queue has no state in this Redis')
end
local Q = cmsgpack.unpack(packedQueue)
if Q.layout ~= LAYOUT then
  return redis.error_reply('MILLRACE_LAYOUT ' .. Q.layout)
end

-- Of a queue over several shards, this is one: number SHARD of SHARDS.
local SHARDS, SHARD = Q.shards or 1, Q.shard or 0

-- Sequence numbers and fences start from the clock (microseconds), so that they grow even when a failover lost the last writes.
-- Those of a shard are its number modulo SHARDS: no two shards make the same.
local function nextNumber(last)
  local number = math.max(last + 1, micros)
  return number + (SHARD - number) % SHARDS
end

-- In 9 signs that sort as the numbers do. Numbers made in one call begin alike.
local SIGNS = '-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz'
local knownHigh, knownPrefix

local function encodeNumber(number)
  local high, last = math.floor(number / 64), number % 64 + 1
  if high ~= knownHigh then
    knownHigh, knownPrefix = high, ''
    for _ = 1, 8 do
      local sign = high % 64 + 1
      knownPrefix = string.sub(SIGNS, sign, sign) .. knownPrefix
      high = math.floor(high / 64)
    end
  end
  return knownPrefix, string.sub(SIGNS, last, last)
end

-- A hint goes out at once when a worker is idle, else (the note of that may have been lost) at most this often, in milliseconds.
local HINT_EVERY = 50
local hints = {}

-- Q.due is a lower bound of everything that happens by itself at some time: before it there is nothing to sweep.
local function dueAt(time)
  if time < Q.due then Q.due = time end
end

-- Runs a command with any number of arguments, a thousand at a time (Lua's stack is bounded). Pairs stay together.
local function callMany(command, key, arguments)
  for first = 1, #arguments, 1000 do
    call(command, P .. key, unpack(arguments, first, math.min(first + 999, #arguments)))
  end
end

-- Redis keeps a hash of up to 512 short fields as a list, which each look-up reads from its start: many leases would cost their square. One long
-- value makes it a table, for as long as there is anything in it.
local LONG_VALUE = string.rep('-', 65)

local function setMany(key, fields)
  if #fields < 16 then return callMany('HSET', key, fields) end
  call('HSET', P .. key, '', LONG_VALUE)
  callMany('HSET', key, fields)
  call('HDEL', P .. key, '')
end

-- idle: a worker would have taken more jobs, so tell when there are some.
local function saveQueue(idle)
  if hints.ready and (Q.hungry or Q.hintAt + HINT_EVERY <= now) then
    Q.hungry, Q.hintAt = false, now
    call('PUBLISH', P .. 'hint', 'ready')
  end
  if hints.cancel then call('PUBLISH', P .. 'hint', 'cancel') end
  if hints.finished then call('PUBLISH', P .. 'hint', 'finished') end
  if idle then Q.hungry = true end
  if SHARDS > 1 and Q.ready == 0 then Q.rested = true end
  call('SET', P .. 'q', cmsgpack.pack(Q))
end
`;
