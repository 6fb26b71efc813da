import { lua } from './lua.ts';

/**
 * A job's body is one field of the hash `b`. It begins with the job's sequence number in 9 signs: microseconds of its enqueueing, made unique.
 * For the usual job `name`, a line end and the payload follow. One that is not all defaults has
 * `,readyAt,bytes,cost,priority,attempts,maxAttempts,name,tenant`, a line of extras (JSON, or nothing), then the payload.
 * `readyAt` is empty when that is the time it was enqueued, `w` while it waits for other jobs. Names and tenants have `%`, `,` and line ends escaped.
 * A claim does not change the body. Where a job is: in `l` leased, in `z` delayed, in `f` finished, else ready (or `w`).
 * Failures, logs and progress live in `m`, for the few that have any.
 */
export const jobs: string = lua`
local LONG = '^,([%dw]*),(%d+),(%d+),(%-?%d+),(%d+),(%d+),([^,]*),([^\n]*)\n([^\n]*)\n(.*)$'

local function decodeNumber(signs)
  local number = 0
  for i = 1, 9 do number = number * 64 + string.find(SIGNS, string.sub(signs, i, i), 1, true) - 1 end
  return number
end

local function parseJob(id, body)
  local number = decodeNumber(body)
  if string.sub(body, 10, 10) ~= ',' then
    local name, payload = string.match(body, '^([^\n]*)\n(.*)$', 10)
    return {
      id = id, number = number, readyAt = '', bytes = #payload, cost = 0, priority = 0, attempts = 0, maxAttempts = MAX_ATTEMPTS,
      name = name, tenant = '', extras = {}, payload = payload,
    }
  end
  local readyAt, bytes, cost, priority, attempts, maxAttempts, name, tenant, extras, payload = string.match(body, LONG, 10)
  return {
    id = id, number = number, readyAt = readyAt, bytes = tonumber(bytes), cost = tonumber(cost), priority = tonumber(priority),
    attempts = tonumber(attempts), maxAttempts = tonumber(maxAttempts), name = name, tenant = tenant,
    extras = extras ~= '' and cjson.decode(extras) or {}, payload = payload,
  }
end

-- Always the long form: who is formatted anew is rare.
local function formatJob(job)
  local extras = next(job.extras) and cjson.encode(job.extras) or ''
  local front, last = encodeNumber(job.number)
  return table.concat({
    front .. last, job.readyAt, digits(job.bytes), digits(job.cost), job.priority, job.attempts, job.maxAttempts, job.name,
    job.tenant .. '\n' .. extras .. '\n' .. job.payload,
  }, ',')
end

local function readyAtOf(job)
  return tonumber(job.readyAt) or math.floor(job.number / 1000)
end

local function loadJob(id)
  local body = call('HGET', P .. 'b', id)
  return body and parseJob(id, body)
end

local function storeJob(job)
  call('HSET', P .. 'b', job.id, formatJob(job))
end

-- Of a job in b.
local function stateOf(job)
  if call('HEXISTS', P .. 'l', job.id) == 1 then return 'leased' end
  if job.readyAt == 'w' or call('ZSCORE', P .. 'z', job.id) then return 'delayed' end
  return 'ready'
end

local function count(job, state, sign)
  local tenant = tenantOf(job.tenant)
  -- Who was idle starts at the present virtual time.
  if state == 'ready' and tenant.ready == 0 then tenant.vtime = math.max(tenant.vtime, Q.vclock) end
  tenant[state] = tenant[state] + sign
  Q[state] = Q[state] + sign
  tenant.waitingBytes = tenant.waitingBytes + sign * job.bytes
  Q.waitingBytes = Q.waitingBytes + sign * job.bytes
end

local function buryReady(job)
  call('HINCRBY', P .. 'n', job.priority, -1)
  Q.graves = Q.graves + 1
  call('HINCRBY', P .. 'x', job.priority .. ':' .. job.tenant .. '\n' .. job.id, 1)
end

local function memoOf(id)
  local packed = Q.memos > 0 and call('HGET', P .. 'm', id)
  return packed and cmsgpack.unpack(packed) or { failures = {}, logs = {}, progress = false }
end

local function storeMemo(id, memo)
  Q.memos = Q.memos + call('HSET', P .. 'm', id, cmsgpack.pack(memo))
end

local function dropMemo(id)
  if Q.memos > 0 then Q.memos = Q.memos - call('HDEL', P .. 'm', id) end
end

-- failure is JSON.
local function addFailure(id, failure)
  local memo = memoOf(id)
  table.insert(memo.failures, failure)
  if #memo.failures > 10 then table.remove(memo.failures, 1) end
  storeMemo(id, memo)
end

local function standsBefore(id, job)
  local body = call('HGET', P .. 'b', id)
  if not body then return true end
  local other = parseJob(id, body)
  local mine, theirs = readyAtOf(job), readyAtOf(other)
  if mine ~= theirs then return theirs < mine end
  return other.number < job.number
end

-- How far from the head a job that was given back looks for its old place.
local PUT_BACK_REACH = 50

-- Puts a job that was at the head of its line once before the first that became ready after it.
local function putBack(job)
  local line, tenant = lineOf(job.priority, job.tenant), tenantOf(job.tenant)
  local pivot, place
  for index = 0, PUT_BACK_REACH do
    local id = call('LINDEX', line, index)
    if not id then break end
    pivot, place = id, 'AFTER'
    if not standsBefore(id, job) then
      place = 'BEFORE'
      break
    end
  end
  local length = pivot and call('LINSERT', line, place, pivot, job.id) or call('LPUSH', line, job.id)
  noteReady(tenant, job.priority, length, 1)
end

-- Puts a job that waits nowhere yet among the waiting. readyAt nil: until another job lets it go.
local function makeWaiting(job, readyAt, atHead)
  if readyAt and readyAt <= now then
    if not atHead then job.readyAt = digits(readyAt) end
    count(job, 'ready', 1)
    if atHead then putBack(job) else pushReady(tenantOf(job.tenant), job.priority, { job.id }) end
  else
    job.readyAt = readyAt and digits(readyAt) or 'w'
    count(job, 'delayed', 1)
    if readyAt then
      dueAt(readyAt)
      call('ZADD', P .. 'z', readyAt, job.id)
    end
  end
  storeJob(job)
end

-- Takes a waiting job away from where it waits.
local function stopWaiting(job, state)
  count(job, state, -1)
  if state == 'delayed' then call('ZREM', P .. 'z', job.id) else buryReady(job) end
end

local function reschedule(job, readyAt)
  stopWaiting(job, stateOf(job))
  makeWaiting(job, readyAt)
end
`;
