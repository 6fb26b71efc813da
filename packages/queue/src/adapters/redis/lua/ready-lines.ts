import { lua } from './lua.ts';

/**
 * Ready jobs stand in one list per (class, tenant). Each class has a ring of its tenants by virtual time, and the classes stand in one set
 * by the time of their last turn less what their priority is worth: its least is the class whose turn it is.
 *
 * Invariants: a tenant with a non-empty list of a class is either in that class's ring or in its own set of held classes (`th`).
 * A ring's score may be behind the tenant's virtual time (never ahead but after a release); who is served corrects it.
 * An id taken out of the middle stays in its list as a tombstone (`x` counts them per list and id) and is dropped when it reaches the head:
 * a live entry of the same id always stands behind its tombstones.
 */
export const readyLines: string = lua`
local HELD_FOR_EVER = 9e15

local function lineOf(class, name)
  return P .. 'w:' .. class .. ':' .. name
end

-- What a step of priority is worth in milliseconds of waiting; with strict priorities more than any wait (115 days a step).
local function stepOf()
  return Q.settings.aging > 0 and Q.settings.aging or 1e10
end

local function enterRing(tenant, class)
  call('ZADD', P .. 'r:' .. class, tenant.vtime, tenant.name)
  call('ZADD', P .. 'c', 'NX', now - class * stepOf(), class)
end

local function parkUntil(tenant, untilTime)
  dueAt(untilTime or HELD_FOR_EVER)
  call('ZADD', P .. 'tp', untilTime or HELD_FOR_EVER, tenant.name)
end

-- The tenant has been taken out of the ring, or is about to be.
local function holdBack(tenant, class, untilTime)
  call('SADD', P .. 'th:' .. tenant.name, class)
  parkUntil(tenant, untilTime)
  tenant.held = true
end

-- Called whenever a hold may be over.
local function letIn(tenant)
  if not tenant.held then return end
  local reason, untilTime = holdOf(tenant, 0)
  if reason then
    parkUntil(tenant, untilTime)
    return
  end
  tenant.held = false
  tenant.vtime = math.max(tenant.vtime, Q.vclock)
  for _, class in ipairs(call('SMEMBERS', P .. 'th:' .. tenant.name)) do enterRing(tenant, tonumber(class)) end
  call('DEL', P .. 'th:' .. tenant.name)
  call('ZREM', P .. 'tp', tenant.name)
  hints.ready = true
end

-- The line has length ids now, added of them new.
local function noteReady(tenant, class, length, added)
  if length == added then
    call('SADD', P .. 'tc:' .. tenant.name, class)
    enterRing(tenant, class)
  end
  call('HINCRBY', P .. 'n', class, added)
  hints.ready = true
end

-- Puts ids, counted as ready already, at the end of their line.
local function pushReady(tenant, class, ids)
  local length
  for first = 1, #ids, 1000 do
    length = call('RPUSH', lineOf(class, tenant.name), unpack(ids, first, math.min(first + 999, #ids)))
  end
  noteReady(tenant, class, length, #ids)
end

-- Drops a tombstone that has reached the head of its line.
local function isTombstone(class, name, id)
  local field = class .. ':' .. name .. '\n' .. id
  local buried = call('HGET', P .. 'x', field)
  if not buried then return false end
  Q.graves = Q.graves - 1
  if buried == '1' then call('HDEL', P .. 'x', field) else call('HINCRBY', P .. 'x', field, -1) end
  return true
end
`;
