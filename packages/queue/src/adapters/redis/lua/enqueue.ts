import { lua } from './lua.ts';

/**
 * Stores jobs. ARGV: atomic, schedule guard (JSON or empty), then per job: id, tenant, class, delay, bytes, special (JSON or empty), rest of the body.
 * Answers 1 when all were accepted, 0 when the guard refused, else per job 1, { id, replaced } or { scope, limit, retryAfter }.
 */
export const enqueueMain: string = lua`
local FIELDS, RETRY_AFTER = 7, 1000
local atomic = ARGV[1] == '1'
local answers, ordinary = {}, true

local function overMark(scope, limits, waiting, count_, bytes)
  if limits.maxWaiting and waiting.ready + waiting.delayed + count_ > limits.maxWaiting then
    return { scope, 'count', RETRY_AFTER }
  end
  if limits.maxWaitingBytes and waiting.waitingBytes + bytes > limits.maxWaitingBytes then
    return { scope, 'bytes', RETRY_AFTER }
  end
end

local function reject(tenant, count_, bytes)
  return overMark('queue', Q.settings.limits, Q, count_, bytes) or overMark('tenant', limitsOf(tenant), tenant, count_, bytes)
end

-- All or none: the marks must have room for the sums.
local function rejectAll()
  local sums, total, jobCount = {}, 0, 0
  for base = 2, #ARGV - 1, FIELDS do
    local name, bytes = ARGV[base + 2], tonumber(ARGV[base + 5])
    local sum = sums[name] or { 0, 0 }
    sums[name] = { sum[1] + 1, sum[2] + bytes }
    total, jobCount = total + bytes, jobCount + 1
  end
  for name, sum in pairs(sums) do
    local tenant = tenantOf(name)
    local refused = overMark('tenant', limitsOf(tenant), tenant, sum[1], sum[2])
    if refused then return refused end
  end
  return overMark('queue', Q.settings.limits, Q, jobCount, total)
end

local function isKnown(id)
  return call('HEXISTS', P .. 'b', id) == 1 or call('HEXISTS', P .. 'f', id) == 1
end

-- New payload for a waiting job, its place stays.
local function replacePayload(job, rest, bytes)
  local sign = stateOf(job) == 'ready' and 'ready' or 'delayed'
  count(job, sign, -1)
  job.bytes = bytes
  job.payload = string.match(rest, '\n[^\n]*\n(.*)$')
  count(job, sign, 1)
  storeJob(job)
end

local function keepLast(holder, rest, bytes)
  local id = holder.next or holder.id
  local job = loadJob(id)
  if not job or (not holder.next and stateOf(job) == 'leased') then return nil end
  replacePayload(job, rest, bytes)
  return { id, 1 }
end

local function debounce(holder, special, rest, bytes)
  local job = loadJob(holder.id)
  local state = job and stateOf(job)
  if state ~= 'delayed' and state ~= 'ready' then return nil end
  replacePayload(job, rest, bytes)
  local wanted = now + special.ttl
  if state == 'delayed' then reschedule(job, math.min(wanted, holder.latest or wanted)) end
  return { holder.id, 1 }
end

-- Answers nothing when the job is to be stored all the same.
local function answerDuplicate(holder, special, rest, bytes)
  if special.mode == 'keep-last' then return keepLast(holder, rest, bytes) end
  if special.mode == 'debounce' then return debounce(holder, special, rest, bytes) end
  return { holder.id, 0 }
end

local function holdKey(holder, special, id)
  if special.mode == 'keep-last' and holder and not holder.ends then
    holder.next = id
    storeHolder(special.key, holder)
    return
  end
  local ends = special.mode == 'window' and now + (special.ttl or 0) or nil
  storeHolder(special.key, { id = id, ends = ends, latest = special.maxWait and now + special.maxWait })
  if ends then call('ZADD', P .. 'du', ends, special.key) end
end

local function bodyOf(rest, readyAt)
  Q.number = nextNumber(Q.number)
  return digits(Q.number) .. ',' .. readyAt .. ',' .. rest
end

-- One with a delay, a dedupe key or children.
local function enqueueSpecial(id, name, delay, bytes, special, rest)
  local tenant = tenantOf(name)
  local holder = special.key and holderOf(special.key)
  if holder and (not holder.ends or holder.ends > now) then
    local duplicate = answerDuplicate(holder, special, rest, bytes)
    if duplicate then return duplicate end
  end
  local refused = not atomic and reject(tenant, 1, bytes)
  if refused then return refused end
  local followUp = special.mode == 'keep-last' and holder and not holder.ends
  local waits = followUp or (special.children or 0) > 0
  if special.mode == 'debounce' then delay = special.ttl or 0 end
  makeWaiting(parseJob(id, bodyOf(rest, '')), not waits and now + delay or nil)
  if special.key then holdKey(holder, special, id) end
  return 1
end

local groups = {}

-- Ready at once, the usual case: stored now, pushed with the others of its line at the end.
local function enqueuePlain(id, name, class, bytes, rest)
  local tenant = tenantOf(name)
  local refused = not atomic and reject(tenant, 1, bytes)
  if refused then return refused end
  call('HSET', P .. 'b', id, bodyOf(rest, ''))
  count({ tenant = name, bytes = bytes }, 'ready', 1)
  local line = class .. ':' .. name
  local group = groups[line]
  if not group then
    group = { tenant = tenant, class = class, ids = {} }
    groups[line] = group
    groups[#groups + 1] = group
  end
  group.ids[#group.ids + 1] = id
  return 1
end

local function enqueueOne(base)
  local id, name, class, delay, bytes, special, rest = unpack(ARGV, base + 1, base + FIELDS)
  if isKnown(id) then return 1 end
  if special == '' and delay == '0' then return enqueuePlain(id, name, tonumber(class), tonumber(bytes), rest) end
  -- A special job may stand behind plain ones of this very call.
  for index, group in ipairs(groups) do
    pushReady(group.tenant, group.class, group.ids)
    groups[index] = nil
  end
  groups = {}
  return enqueueSpecial(id, name, tonumber(delay), tonumber(bytes), special ~= '' and cjson.decode(special) or {}, rest)
end

if ARGV[2] ~= '' and not moveSchedule(cjson.decode(ARGV[2])) then return 0 end
local refusedAll = atomic and rejectAll()
for base = 2, #ARGV - 1, FIELDS do
  local answer = refusedAll or enqueueOne(base)
  if answer ~= 1 then ordinary = false end
  answers[#answers + 1] = answer
end
for _, group in ipairs(groups) do pushReady(group.tenant, group.class, group.ids) end
save()
if ordinary then return 1 end
return answers
`;
