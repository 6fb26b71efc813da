import { lua } from './lua.ts';

/** Leases ready jobs to the session, in the order that the contract states. */
export const claim: string = lua`
local claimed, sessionFields, leaseFields = {}, {}, {}
local firstFence = nextNumber(Q.fence)

-- The class whose turn it is, and the score that the next class has.
local function nextClass()
  local top = call('ZRANGE', P .. 'c', 0, 1, 'WITHSCORES')
  return tonumber(top[1]), tonumber(top[4])
end

-- The tenant of the ring with the least virtual time, and whether it is alone.
local function nextTenant(class)
  local ring = P .. 'r:' .. class
  while true do
    local top = call('ZRANGE', ring, 0, 1, 'WITHSCORES')
    if not top[1] then return nil end
    local tenant = tenantOf(top[1])
    if not top[3] then return tenant, true end
    if tenant.vtime <= tonumber(top[2]) then return tenant, false end
    call('ZADD', ring, tenant.vtime, top[1])
  end
end

local function headCost(class, tenant)
  while true do
    local id = call('LINDEX', lineOf(class, tenant.name), 0)
    if not id then return nil end
    local body = call('HGET', P .. 'b', id)
    if body and not isTombstone(class, tenant.name, id) then return tonumber(string.match(body, '^%d+,[%dw]*,%d+,(%d+)')) end
    if not body then isTombstone(class, tenant.name, id) end
    call('LPOP', lineOf(class, tenant.name))
  end
end

local function holdOfHead(class, tenant)
  local cost = 0
  if limitsOf(tenant).budget then
    cost = headCost(class, tenant)
    if not cost then return nil end
  end
  return holdOf(tenant, cost)
end

-- How many jobs of the tenant may start without another look at its limits.
local function roomOf(tenant)
  local limits, queueLimits = limitsOf(tenant), Q.settings.limits
  if limits.rate or limits.budget or queueLimits.rate then return 1 end
  local room = math.huge
  if limits.maxLeased then room = limits.maxLeased - tenant.leased end
  if queueLimits.maxLeased then room = math.min(room, queueLimits.maxLeased - Q.leased) end
  return room
end

local function charge(tenant, cost)
  local limits = limitsOf(tenant)
  Q.vclock = math.max(Q.vclock, tenant.vtime)
  tenant.vtime = Q.vclock + math.max(cost, 1) / (limits.weight or 1)
  tenant.leased = tenant.leased + 1
  Q.leased = Q.leased + 1
  if limits.rate then tenant.tat = afterStart(tenant.tat, limits.rate) end
  if limits.budget then spend(tenant, cost) end
  if Q.settings.limits.rate then Q.tat = afterStart(Q.tat, Q.settings.limits.rate) end
end

-- What of a special job must change at its start. Answers the kind of its lease.
local function startSpecial(id, cost, extras)
  if extras == '' or string.find(extras, '^{"t":"[^"]*"}$') then return cost > 0 and 'x' or '' end
  local special = cjson.decode(extras)
  if special.v then call('ZADD', P .. 'v', now + special.v, id) end
  if special.m == 'debounce' then call('HDEL', P .. 'd', special.d) end
  return (special.v or special.k or special.d or special.p or special.c) and 'x' or (cost > 0 and 'x' or '')
end

local function lease(id, body, tenant)
  local bytes, cost, extras = string.match(body, '^%d+,[%dw]*,(%d+),(%d+),[^\n]*\n([^\n]*)\n')
  bytes, cost = tonumber(bytes), tonumber(cost)
  Q.waitingBytes = Q.waitingBytes - bytes
  tenant.waitingBytes = tenant.waitingBytes - bytes
  charge(tenant, cost)
  local kind = startSpecial(id, cost, extras)
  local fence = firstFence + #claimed / 2
  sessionFields[#sessionFields + 1] = id
  sessionFields[#sessionFields + 1] = table.concat({ digits(fence), callNumber, digits(now), kind, tenant.name }, ':')
  leaseFields[#leaseFields + 1] = id
  leaseFields[#leaseFields + 1] = session
  claimed[#claimed + 1] = id
  claimed[#claimed + 1] = body
end

-- Takes up to most jobs from the head of a line. Answers how many, and whether the line is now empty.
local function takeFrom(class, tenant, most)
  local ids = call('LPOP', lineOf(class, tenant.name), most) or {}
  local taken = 0
  if #ids > 0 then
    local graves = call('EXISTS', P .. 'x') == 1
    for i, body in ipairs(call('HMGET', P .. 'b', unpack(ids))) do
      if not (graves and isTombstone(class, tenant.name, ids[i])) then
        lease(ids[i], body, tenant)
        taken = taken + 1
      end
    end
  end
  tenant.ready = tenant.ready - taken
  Q.ready = Q.ready - taken
  if taken > 0 then call('HINCRBY', P .. 'n', class, -taken) end
  return taken, #ids < most or call('EXISTS', lineOf(class, tenant.name)) == 0
end

-- One turn: of one class, of one tenant. Answers false when nothing may run.
local function turn(want)
  local class, rival = nextClass()
  if not class then return false end
  local tenant, alone = nextTenant(class)
  local reason, untilTime = holdOfHead(class, tenant)
  if reason then
    holdBack(tenant, class, untilTime)
    return true
  end
  local score = now - class * stepOf()
  local overdue = rival and rival < score
  local most = (alone and not overdue) and math.min(want, roomOf(tenant), 1000) or 1
  local taken, empty = takeFrom(class, tenant, most)
  if empty then
    closeLine(tenant, class)
  else
    local again, againUntil = holdOfHead(class, tenant)
    if again then holdBack(tenant, class, againUntil) else call('ZADD', P .. 'r:' .. class, tenant.vtime, tenant.name) end
  end
  if taken > 0 and call('EXISTS', P .. 'r:' .. class) == 1 then call('ZADD', P .. 'c', score, class) end
  return true
end

-- Claims up to want jobs. Answers whether more could have been claimed.
local function claimUpTo(want)
  local turns = want * 2 + 100
  while #claimed < want * 2 and turns > 0 do
    if holdOfQueue() or not turn(want - #claimed / 2) then return false end
    turns = turns - 1
  end
  return not holdOfQueue() and call('EXISTS', P .. 'c') == 1
end

local function writeLeases()
  if #claimed == 0 then return end
  Q.fence = firstFence + #claimed / 2 - 1
  for first = 1, #claimed, 1000 do
    local last = math.min(first + 999, #claimed)
    call('HSET', P .. 's:' .. session, unpack(sessionFields, first, last))
    call('HSET', P .. 'l', unpack(leaseFields, first, last))
  end
end
`;
