import { lua } from './lua.ts';

/**
 * Stores jobs. ARGV: atomic, move of a schedule (JSON or empty), then all jobs in one text (an argument each costs more than cutting it up):
 * id, line end, bytes of the payload, a space, special (JSON or empty), line end, then the body without its number (see `jobs`).
 * Answers 1 when all were accepted, 0 when the schedule stands elsewhere, else per job 1, { id, replaced } or { scope, limit, retryAfter }.
 */
export const enqueueHead: string = lua`
local RETRY_AFTER = 1000
-- Whom jobs are handed to, if anybody.
local session, callNumber, onlyClass, horizon
local atomic = ARGV[1] == '1'
local answers, ordinary = {}, true

local requests = {}

-- What is needed of a job stands at the start of its body already; sending it twice would cost more than reading it.
local function readRequests(text)
  local at = 1
  while at <= #text do
    local id, length, special, from, name, past = string.match(text, '^([^\n]+)\n(%d+) ([^\n]*)\n()([^\n]*)\n()', at)
    local bytes, class = tonumber(length), '0'
    if string.byte(name) == 44 then
      bytes, class, name = string.match(name, '^,[%dw]*,(%d+),%d+,(%-?%d+),%d+,%d+,[^,]*,(.*)$')
      bytes, past = tonumber(bytes), string.find(text, '\n', past, true) + 1
    else
      name = ''
    end
    at = past + length
    requests[#requests + 1] = {
      id = id, special = special, rest = string.sub(text, from, at - 1), bytes = bytes, class = class, name = name,
    }
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
  for _, request in ipairs(requests) do
    local sum = sums[request.name] or { 0, 0 }
    sums[request.name] = { sum[1] + 1, sum[2] + request.bytes }
    total = total + request.bytes
  end
  for name, sum in pairs(sums) do
    local tenant = tenantOf(name)
    local refused = overMark('tenant', limitsOf(tenant), tenant, sum[1], sum[2])
    if refused then return refused end
  end
  return overMark('queue', queueLimits(), Q, #requests, total)
end

-- Ids that are stored already: the call is repeated, or the caller chose an id twice.
local known = {}

local function readKnown()
  local ids, names, seenNames = {}, {}, {}
  for i, request in ipairs(requests) do
    ids[i] = request.id
    local name = request.name
    if not seenNames[name] and #names < 1000 then
      seenNames[name] = true
      names[#names + 1] = name
    end
  end
  loadTenants(names)
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
  Q.number = nextNumber(Q.number)
  return encodeNumber(Q.number) .. rest
end
`;

/** Stores a job with a delay, a dedupe key or children. */
export const enqueueSpecial: string = lua`
-- New payload for a waiting job, its place stays.
local function replacePayload(job, rest, bytes)
  local sign = stateOf(job) == 'ready' and 'ready' or 'delayed'
  count(job, sign, -1)
  job.bytes = bytes
  job.payload = parseJob(job.id, encodeNumber(job.number) .. rest).payload
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
  if ends then
    dueAt(ends)
    call('ZADD', P .. 'du', ends, special.key)
  end
end

-- One with a delay, a dedupe key or children.
local function enqueueSpecial(id, name, bytes, special, rest)
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
  local delay = special.mode == 'debounce' and (special.ttl or 0) or special.delay or 0
  makeWaiting(parseJob(id, bodyOf(rest)), not waits and now + delay or nil)
  if special.key then holdKey(holder, special, id) end
  return 1
end
`;

/** Stores the others, and answers. */
export const enqueueMain: string = lua`
-- Jobs that are ready at once, the usual case, are stored and pushed together.
local bodies, groups, groupList = {}, {}, {}

local function flushPlain()
  callMany('HSET', 'b', bodies)
  for _, group in ipairs(groupList) do pushReady(group.tenant, group.class, group.ids) end
  bodies, groups, groupList = {}, {}, {}
end

local function groupOf(name, class)
  local line = class .. ':' .. name
  local group = groups[line]
  if not group then
    group = { tenant = tenantOf(name), class = class, ids = {} }
    groups[line] = group
    groupList[#groupList + 1] = group
  end
  return group
end

local function enqueuePlain(id, name, class, bytes, rest)
  local group = groupOf(name, class)
  local tenant = group.tenant
  local refused = not atomic and reject(tenant, 1, bytes)
  if refused then return refused end
  bodies[#bodies + 1] = id
  bodies[#bodies + 1] = bodyOf(rest)
  group.ids[#group.ids + 1] = id
  if tenant.ready == 0 then tenant.vtime = math.max(tenant.vtime, Q.vclock) end
  tenant.ready, Q.ready = tenant.ready + 1, Q.ready + 1
  tenant.waitingBytes, Q.waitingBytes = tenant.waitingBytes + bytes, Q.waitingBytes + bytes
  return 1
end

local function enqueueOne(request)
  local id, name, bytes, rest = request.id, request.name, request.bytes, request.rest
  if known[id] then return 1 end
  local answer
  if request.special == '' then
    answer = enqueuePlain(id, name, request.class, bytes, rest)
  else
    -- It may stand behind plain ones of this very call.
    flushPlain()
    answer = rare().enqueueSpecial(id, name, bytes, cjson.decode(request.special), rest)
  end
  if answer == 1 then known[id] = true end
  return answer
end

-- Compare-and-set on the next instant of a schedule: of many processes one enqueues. What a full queue refuses stays due.
local move = ARGV[2] ~= '' and cjson.decode(ARGV[2])
local schedule = move and rare().standingAt(move)
if move and not schedule then return 0 end
readRequests(ARGV[3] or '')
readKnown()
local refusedAll = atomic and #requests > 0 and rejectAll()
if schedule and not refusedAll then rare().moveSchedule(schedule, move) end
for _, request in ipairs(requests) do
  local answer = refusedAll or enqueueOne(request)
  if answer ~= 1 then ordinary = false end
  answers[#answers + 1] = answer
end
flushPlain()
if Q.offers[1] and hints.ready then handOff() end
save()
if ordinary then return 1 end
return answers
`;
