import { lua } from './lua.ts';

/** In which order jobs are claimed: as the contract states. Needs `claiming`. */
export const claimRings: string = lua`
local claims = claiming()
-- Most tenants looked at, or served together, in one go.
local MOST_TENANTS = 500

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

-- Puts one that was served back among the others.
local function insertByTime(row, entry)
  local low, high = 1, #row + 1
  while low < high do
    local middle = math.floor((low + high) / 2)
    if row[middle].vtime < entry.vtime then low = middle + 1 else high = middle end
  end
  table.insert(row, low, entry)
end

-- How many jobs may be taken one after another without another look at the limits of the queue, and at the lines.
local function roomOfQueue()
  local limits = queueLimits()
  if Q.graves > 0 or limits.rate or horizon then return 1 end
  return limits.maxLeased and limits.maxLeased - Q.leased or MOST_TENANTS
end

-- The first of the row, who may run, and those who have one job each in turn before any of them has another: whatever their jobs cost, none is
-- back sooner than at bound.
local function nextInTurn(ring, most)
  local those, vclock, bound = {}, Q.vclock, math.huge
  for i = 1, math.min(most, roomOfQueue(), #ring.row) do
    local tenant, vtime = ring.row[i].tenant, ring.row[i].vtime
    if i > 1 and (vtime > ring.knownUpTo or vtime >= bound or holdOfHead(ring.class, tenant)) then break end
    those[i] = tenant
    vclock = math.max(vclock, tenant.vtime)
    bound = math.min(bound, vclock + 1 / (limitsOf(tenant).weight or 1))
  end
  return those
end

-- Leases jobs of the first of the row. Answers how many, how many of the row were served, and which of their lines are empty.
local function takeNext(ring, want)
  local first = ring.row[1].tenant
  if ring.alone or Q.graves > 0 then
    local taken, empty = claims.takeFrom(ring.class, first, ring.alone and math.min(want, claims.roomOf(first), 1000) or 1)
    return taken, 1, { empty }
  end
  local those = nextInTurn(ring, want)
  local taken, empty = claims.takeFirsts(ring.class, those)
  return taken, #those, empty or {}
end

local function leave(ring, tenant)
  ring.gone[#ring.gone + 1] = tenant.name
  ring.scores[tenant.name] = nil
end

-- Those at the head of the row were served: they stand where they belong now.
local function moveBack(ring, served)
  local row = ring.row
  ring.row = {}
  for i = served + 1, #row do ring.row[i - served] = row[i] end
  for i = 1, served do
    if ring.scores[row[i].tenant.name] then insertByTime(ring.row, row[i]) end
  end
end

-- Serves the first of the row, who may run. Answers how many jobs were leased.
local function serveNext(ring, want)
  local taken, served, empty = takeNext(ring, want)
  for i = 1, served do
    local entry = ring.row[i]
    local tenant = entry.tenant
    if empty[i] then
      call('SREM', P .. 'tc:' .. tenant.name, ring.class)
      leave(ring, tenant)
    else
      entry.vtime, ring.scores[tenant.name] = tenant.vtime, tenant.vtime
    end
  end
  if taken < want then moveBack(ring, served) end
  return taken
end

-- Whether the tenant may not run: then it leaves the ring until it may.
local function isHeld(ring, tenant)
  local reason, untilTime = holdOfHead(ring.class, tenant)
  if not reason then return false end
  leave(ring, tenant)
  holdBack(tenant, ring.class, untilTime)
  return true
end

-- Who has used up its limits now is held at once, so that looking at it tells until when.
local function writeRing(ring)
  local key, changed = 'r:' .. ring.class, {}
  for name, vtime in pairs(ring.scores) do
    if not isHeld(ring, tenants[name]) then
      changed[#changed + 1] = vtime
      changed[#changed + 1] = name
    end
  end
  callMany('ZREM', key, ring.gone)
  callMany('ZADD', key, changed)
  if #ring.gone > 0 and call('EXISTS', P .. key) == 0 then call('ZREM', P .. 'c', ring.class) end
end

-- Serves the tenants of a class in turn, until want jobs are leased or nobody known may run. Answers how many.
local function serveClass(class, want)
  local row, knownUpTo = readRing(class, math.min(math.max(want, 2), MOST_TENANTS))
  local ring = {
    class = class, row = row, knownUpTo = math.min(knownUpTo, horizon or math.huge), alone = #row == 1, scores = {}, gone = {},
  }
  local taken = 0
  while taken < want and ring.row[1] and ring.row[1].vtime <= ring.knownUpTo and not holdOfQueue() do
    if isHeld(ring, ring.row[1].tenant) then table.remove(ring.row, 1)
    else taken = taken + serveNext(ring, want - taken) end
  end
  writeRing(ring)
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
  while #claims.claimed < want * 2 and turns > 0 do
    if holdOfQueue() or not turn(want - #claims.claimed / 2) then return false end
    turns = turns - 1
  end
  return not holdOfQueue() and call('EXISTS', P .. 'c') == 1
end
`;
