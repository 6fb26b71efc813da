import { lua } from './lua.ts';

/** Leases ready jobs to the session. In which order: see claim-rings.ts. */
export const claim: string = lua`
local COMMA = 44
local claimed, sessionFields, leaseFields, claimedCount = {}, {}, {}, 0
local firstFence = nextNumber(Q.fence)
local leaseMiddle = ':' .. callNumber .. ':' .. digits(now) .. ':'
local readyTaken = {}

-- How many jobs of the tenant may start without another look at its limits.
local function roomOf(tenant)
  local limits, ofQueue = limitsOf(tenant), queueLimits()
  if limits.rate or limits.budget or ofQueue.rate or horizon then return 1 end
  local room = math.huge
  if limits.maxLeased then room = limits.maxLeased - tenant.leased end
  if ofQueue.maxLeased then room = math.min(room, ofQueue.maxLeased - Q.leased) end
  return room
end

local function charge(tenant, cost)
  local limits, rate = limitsOf(tenant), queueLimits().rate
  Q.vclock = math.max(Q.vclock, tenant.vtime)
  tenant.vtime = Q.vclock + math.max(cost, 1) / (limits.weight or 1)
  tenant.leased = tenant.leased + 1
  Q.leased = Q.leased + 1
  if limits.rate then tenant.tat = afterStart(tenant.tat, limits.rate) end
  if limits.budget then spend(tenant, cost) end
  if rate then Q.tat = afterStart(Q.tat, rate) end
end

-- What of a special job must change at its start. Answers the kind of its lease.
local function startSpecial(id, cost, extras)
  if extras == '' or string.find(extras, '^{"t":"[^"]*"}$') then return cost > 0 and 'x' or '' end
  local special = cjson.decode(extras)
  if special.v then
    dueAt(now + special.v)
    call('ZADD', P .. 'v', now + special.v, id)
  end
  if special.m == 'debounce' then call('HDEL', P .. 'd', special.d) end
  return (special.v or special.k or special.d or special.p or special.c) and 'x' or (cost > 0 and 'x' or '')
end

-- Bytes of the payload, cost and kind of lease.
local function readLong(id, body)
  local bytes, cost, extras = string.match(body, '^,[%dw]*,(%d+),(%d+),[^\n]*\n([^\n]*)\n', 10)
  cost = tonumber(cost)
  return tonumber(bytes), cost, startSpecial(id, cost, extras)
end

local function lease(id, body, tenant)
  local bytes, cost, kind = #body - string.find(body, '\n', 10, true), 0, ''
  if string.byte(body, 10) == COMMA then bytes, cost, kind = readLong(id, body) end
  Q.waitingBytes = Q.waitingBytes - bytes
  tenant.waitingBytes = tenant.waitingBytes - bytes
  charge(tenant, cost)
  local at = claimedCount * 2 + 1
  sessionFields[at] = id
  sessionFields[at + 1] = digits(firstFence + claimedCount * SHARDS) .. leaseMiddle .. kind .. ':' .. tenant.name
  leaseFields[at], leaseFields[at + 1] = id, session
  claimed[at], claimed[at + 1] = id, body
  claimedCount = claimedCount + 1
end

local function noteTaken(class, tenant, taken)
  tenant.ready = tenant.ready - taken
  Q.ready = Q.ready - taken
  readyTaken[class] = (readyTaken[class] or 0) + taken
end

-- Leases a job that has just been made, and was never put in a line.
local function takeNew(id, body, tenant)
  lease(id, body, tenant)
  tenant.ready = tenant.ready - 1
  Q.ready = Q.ready - 1
end

-- Leases up to most jobs from the head of a line. Answers how many, and whether the line is now empty.
local function takeFrom(class, tenant, most)
  local line = lineOf(class, tenant.name)
  local ids = call('LPOP', line, most) or {}
  local taken = 0
  if #ids > 0 then
    for i, body in ipairs(call('HMGET', P .. 'b', unpack(ids))) do
      if not (Q.graves > 0 and isTombstone(class, tenant.name, ids[i])) then
        lease(ids[i], body, tenant)
        taken = taken + 1
      end
    end
  end
  noteTaken(class, tenant, taken)
  return taken, #ids < most or call('EXISTS', line) == 0
end

-- Of each line whether it is empty; nothing when none is.
local function whichAreEmpty(lines)
  if call('EXISTS', unpack(lines)) == #lines then return nil end
  local empty = {}
  for i, line in ipairs(lines) do empty[i] = call('EXISTS', line) == 0 end
  return empty
end

-- Leases the first job of each, of lines without tombstones. Answers how many, and which lines are now empty.
local function takeFirsts(class, those)
  local lines, ids, takers = {}, {}, {}
  for i, tenant in ipairs(those) do
    lines[i] = lineOf(class, tenant.name)
    local id = call('LPOP', lines[i])
    if id then ids[#ids + 1], takers[#takers + 1] = id, tenant end
  end
  for i, body in ipairs(#ids > 0 and call('HMGET', P .. 'b', unpack(ids)) or {}) do
    lease(ids[i], body, takers[i])
    noteTaken(class, takers[i], 1)
  end
  return #ids, whichAreEmpty(lines)
end

-- Answers the first of the fences.
local function writeLeases()
  if claimedCount == 0 then return '0' end
  Q.fence = firstFence + (claimedCount - 1) * SHARDS
  setMany('s:' .. session, sessionFields)
  setMany('l', leaseFields)
  for class, taken in pairs(readyTaken) do
    if taken > 0 then call('HINCRBY', P .. 'n', class, -taken) end
  end
  return digits(firstFence)
end
`;
