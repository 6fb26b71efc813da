import { lua } from './lua.ts';

/**
 * Stores jobs. ARGV: atomic, move of a schedule (JSON or empty), then
 * - kinds: of each its number, class, tenant, bytes that a body has besides the payload, what is special (JSON or empty), a line each;
 * - of each job the number of its kind, a space each; nothing when all are of the first;
 * - of each job its id, and its body without the number (see `jobs`). Each is an argument: cut out of one text, Lua would make each text twice.
 * Answers 1 when all were accepted, 0 when the schedule stands elsewhere, else per job 1, { id, replaced } or { scope, limit, retryAfter }.
 */
export const enqueueHead: string = lua`
local RETRY_AFTER = 1000
-- Whom jobs are handed to, if anybody: one session a call.
local session, callNumber, onlyClass, horizon
local atomic = ARGV[1] == '1'
local answers, ordinary = {}, true

-- Of each job: id, kind, body without its number. Arrays, since a table for each would cost more than the rest.
local ids, kindOf, rests = {}, {}, {}
local kinds, tenantNames = {}, {}

local function readKinds(text)
  local seen = {}
  for number, class, name, around, special in string.gmatch(text, '(%d+)\n([^\n]*)\n([^\n]*)\n(%-?%d+)\n([^\n]*)\n') do
    kinds[number] = { class = class, name = name, around = tonumber(around), special = special }
    if not seen[name] then
      seen[name] = true
      tenantNames[#tenantNames + 1] = name
    end
  end
end

local HEAD = 4

local function readJobs(text)
  local count_ = (#ARGV - HEAD) / 2
  local same, nextNumber_ = text == '' and kinds['0'], string.gmatch(text, '%d+')
  for i = 1, count_ do
    local at = HEAD + i * 2
    ids[i], rests[i], kindOf[i] = ARGV[at - 1], ARGV[at], same or kinds[nextNumber_()]
  end
end

local function overMark(scope, limits, waiting, count_, bytes)
  if limits.maxWaiting and waiting.ready + waiting.delayed + count_ > limits.maxWaiting then
    return { scope, 'count', RETRY_AFTER }
  end
  if limits.maxWaitingBytes and waiting.waitingBytes + bytes > limits.maxWaitingBytes then
    return { scope, 'bytes', RETRY_AFTER }
  end
end

local function reject(tenant, count_, bytes)
  return overMark('queue', queueLimits(), Q, count_, bytes) or overMark('tenant', limitsOf(tenant), tenant, count_, bytes)
end

-- All or none: the marks must have room for the sums.
local function rejectAll()
  local sums, total = {}, 0
  for i, kind in ipairs(kindOf) do
    local sum, bytes = sums[kind.name] or { 0, 0 }, #rests[i] - kind.around
    sums[kind.name] = { sum[1] + 1, sum[2] + bytes }
    total = total + bytes
  end
  for name, sum in pairs(sums) do
    local tenant = tenantOf(name)
    local refused = overMark('tenant', limitsOf(tenant), tenant, sum[1], sum[2])
    if refused then return refused end
  end
  return overMark('queue', queueLimits(), Q, #ids, total)
end

-- Ids that are stored already: the call is repeated, or the caller chose an id twice.
local known = {}

local function readKnown()
  for _, hash in ipairs(call('EXISTS', P .. 'f') == 1 and { 'b', 'f' } or { 'b' }) do
    for first = 1, #ids, 1000 do
      local found = call('HMGET', P .. hash, unpack(ids, first, math.min(first + 999, #ids)))
      for i, value in ipairs(found) do
        if value then known[ids[first + i - 1]] = true end
      end
    end
  end
end

local function bodyOf(rest)
  local following = Q.number + SHARDS
  Q.number = following > micros and following or nextNumber(Q.number)
  local front, last = encodeNumber(Q.number)
  return front .. last .. rest
end
`;

/** Stores the others, and answers. */
export const enqueueMain: string = lua`
-- Jobs that are ready at once, the usual case, are stored and pushed together.
local bodies, stored, groups, groupList = {}, 0, {}, {}

local function flushPlain()
  callMany('HSET', 'b', bodies)
  local isHandedOff = stored == 2 and Q.offers[1] and handOffNew(bodies[1], bodies[2], groupList[1].tenant)
  if not isHandedOff then
    for _, group in ipairs(groupList) do pushReady(group.tenant, group.class, group.ids) end
  end
  bodies, stored, groups, groupList = {}, 0, {}, {}
end

local function groupOf(kind)
  local line = kind.class .. ':' .. kind.name
  local group = groups[line]
  if not group then
    local tenant = tenantOf(kind.name)
    local ofQueue, own = queueLimits(), limitsOf(tenant)
    local marked = ofQueue.maxWaiting or ofQueue.maxWaitingBytes or own.maxWaiting or own.maxWaitingBytes
    group = { tenant = tenant, class = kind.class, ids = {}, size = 0, marked = marked and not atomic }
    groups[line] = group
    groupList[#groupList + 1] = group
  end
  kind.group, kind.groupOf = group, groups
  return group
end

local function enqueuePlain(id, kind, bytes, rest)
  local group = kind.groupOf == groups and kind.group or groupOf(kind)
  local tenant = group.tenant
  local refused = group.marked and reject(tenant, 1, bytes)
  if refused then return refused end
  bodies[stored + 1], bodies[stored + 2] = id, bodyOf(rest)
  stored = stored + 2
  group.size = group.size + 1
  group.ids[group.size] = id
  if tenant.ready == 0 then tenant.vtime = math.max(tenant.vtime, Q.vclock) end
  tenant.ready, Q.ready = tenant.ready + 1, Q.ready + 1
  tenant.waitingBytes, Q.waitingBytes = tenant.waitingBytes + bytes, Q.waitingBytes + bytes
  return 1
end

local function enqueueOne(id, kind, bytes, rest)
  if known[id] then return 1 end
  local answer
  if kind.special == '' then
    answer = enqueuePlain(id, kind, bytes, rest)
  else
    -- It may stand behind plain ones of this very call.
    flushPlain()
    answer = rare().enqueueSpecial(id, kind.name, bytes, cjson.decode(kind.special), rest)
  end
  if answer == 1 then known[id] = true end
  return answer
end

local function enqueueAll(refusedAll)
  for i, id in ipairs(ids) do
    local kind, rest = kindOf[i], rests[i]
    local answer = refusedAll or enqueueOne(id, kind, #rest - kind.around, rest)
    if answer ~= 1 then ordinary = false end
    answers[i] = answer
  end
  flushPlain()
end

-- Compare-and-set on the next instant of a schedule: of many processes one enqueues. What a full queue refuses stays due.
local move = ARGV[2] ~= '' and cjson.decode(ARGV[2])
local schedule = move and rare().standingAt(move)
if move and not schedule then return 0 end
readKinds(ARGV[3])
readJobs(ARGV[4])
loadTenants(tenantNames)
readKnown()
local refusedAll = atomic and #ids > 0 and rejectAll()
if schedule and not refusedAll then rare().moveSchedule(schedule, move) end
enqueueAll(refusedAll)
if Q.offers[1] and hints.ready and not session then handOff() end
save()
if ordinary then return 1 end
return answers
`;
