import { lua } from './lua.ts';

/** Leases ready jobs to the session, in the order that the contract states. */
export const claim: string = lua`
local COMMA = 44
local claimed, sessionFields, leaseFields = {}, {}, {}
local firstFence = nextNumber(Q.fence)
local leaseMiddle = ':' .. callNumber .. ':' .. digits(now) .. ':'

local function headCost(class, tenant)
  while true do
    local id = call('LINDEX', lineOf(class, tenant.name), 0)
    if not id then return nil end
    local body = call('HGET', P .. 'b', id)
    if body and not isTombstone(class, tenant.name, id) then return tonumber(string.match(body, '^,[%dw]*,%d+,(%d+)', 10) or 0) end
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
  local limits, ofQueue = limitsOf(tenant), queueLimits()
  if limits.rate or limits.budget or ofQueue.rate or horizon then return 1 end
  local room = math.huge
  if limits.maxLeased then room = limits.maxLeased - tenant.leased end
  if ofQueue.maxLeased then room = math.min(room, ofQueue.maxLeased - Q.leased) end
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
  local rate = queueLimits().rate
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

local function lease(id, body, tenant)
  local bytes, cost, kind = #body - string.find(body, '\n', 10, true), 0, ''
  if string.byte(body, 10) == COMMA then
    local extras
    bytes, cost, extras = string.match(body, '^,[%dw]*,(%d+),(%d+),[^\n]*\n([^\n]*)\n', 10)
    bytes, cost = tonumber(bytes), tonumber(cost)
    kind = startSpecial(id, cost, extras)
  end
  Q.waitingBytes = Q.waitingBytes - bytes
  tenant.waitingBytes = tenant.waitingBytes - bytes
  charge(tenant, cost)
  local fence = firstFence + #claimed / 2 * SHARDS
  sessionFields[#sessionFields + 1] = id
  sessionFields[#sessionFields + 1] = digits(fence) .. leaseMiddle .. kind .. ':' .. tenant.name
  leaseFields[#leaseFields + 1] = id
  leaseFields[#leaseFields + 1] = session
  claimed[#claimed + 1] = id
  claimed[#claimed + 1] = body
end

local readyTaken = {}

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
  tenant.ready = tenant.ready - taken
  Q.ready = Q.ready - taken
  readyTaken[class] = (readyTaken[class] or 0) + taken
  return taken, #ids < most or call('EXISTS', line) == 0
end

-- The first tenants of a ring in the order of their virtual times; and the time up to which that order is known.
local function readRing(class, most)
  local top = call('ZRANGE', P .. 'r:' .. class, 0, most - 1, 'WITHSCORES')
  local names, row = {}, {}
  for i = 1, #top, 2 do names[#names + 1] = top[i] end
  loadTenants(names)
  for i, name in ipairs(names) do
    local tenant = tenantOf(name)
    row[i] = { tenant = tenant, vtime = math.max(tenant.vtime, tonumber(top[i * 2])) }
  end
  table.sort(row, function(a, b) return a.vtime < b.vtime end)
  return row, #names < most and math.huge or tonumber(top[#top])
end

-- The first of the row was served: it moves back to where it belongs now.
local function moveBack(row)
  local first, place = row[1], 1
  while row[place + 1] and row[place + 1].vtime < first.vtime do
    row[place] = row[place + 1]
    place = place + 1
  end
  row[place] = first
end

-- Serves the tenants of a class in turn, until want jobs are leased or nobody known may run. Answers how many.
local function serveClass(class, want)
  local most = math.min(math.max(want, 2), 500)
  local row, knownUpTo = readRing(class, most)
  local scores, gone, taken = {}, {}, 0
  local alone = #row == 1
  local function leave(tenant)
    table.remove(row, 1)
    gone[#gone + 1] = tenant.name
    scores[tenant.name] = nil
  end
  while taken < want and row[1] and row[1].vtime <= math.min(knownUpTo, horizon or math.huge) and not holdOfQueue() do
    local tenant = row[1].tenant
    local reason, untilTime = holdOfHead(class, tenant)
    if reason then
      leave(tenant)
      holdBack(tenant, class, untilTime)
    else
      local count_, empty = takeFrom(class, tenant, alone and math.min(want - taken, roomOf(tenant), 1000) or 1)
      taken = taken + count_
      if empty then
        call('SREM', P .. 'tc:' .. tenant.name, class)
        leave(tenant)
      else
        row[1].vtime = tenant.vtime
        scores[tenant.name] = tenant.vtime
        moveBack(row)
      end
    end
  end
  -- Who has used up its limits now is held at once, so that looking at it tells until when.
  for name in pairs(scores) do
    local tenant = tenants[name]
    local reason, untilTime = holdOfHead(class, tenant)
    if reason then
      gone[#gone + 1] = name
      scores[name] = nil
      holdBack(tenant, class, untilTime)
    end
  end
  local changed = {}
  for name, vtime in pairs(scores) do
    changed[#changed + 1] = vtime
    changed[#changed + 1] = name
  end
  callMany('ZREM', 'r:' .. class, gone)
  callMany('ZADD', 'r:' .. class, changed)
  if #gone > 0 and call('EXISTS', P .. 'r:' .. class) == 0 then call('ZREM', P .. 'c', class) end
  return taken
end

-- The class with the least score has its turn: as long as it stays the least, a single job when it is overdue.
local function turn(want)
  local top = call('ZRANGE', P .. 'c', 0, 1, 'WITHSCORES')
  if not top[1] then return false end
  local class = tonumber(top[1])
  if onlyClass and class ~= onlyClass then return false end
  local score = now - class * stepOf()
  local overdue = top[4] and tonumber(top[4]) < score
  local taken = serveClass(class, overdue and 1 or want)
  if taken > 0 then call('ZADD', P .. 'c', 'XX', score, class) end
  return not horizon or taken > 0
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

-- Answers the first of the fences.
local function writeLeases()
  if #claimed == 0 then return '0' end
  Q.fence = firstFence + (#claimed / 2 - 1) * SHARDS
  setMany('s:' .. session, sessionFields)
  setMany('l', leaseFields)
  for class, taken in pairs(readyTaken) do
    if taken > 0 then call('HINCRBY', P .. 'n', class, -taken) end
  end
  return digits(firstFence)
end
`;
