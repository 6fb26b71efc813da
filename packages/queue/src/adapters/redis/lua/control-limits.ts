import { lua } from './lua.ts';

/** Control operations about limits, pauses and schedules. */
export const controlLimits: string = lua`
-- Field by field; null removes a bound.
local function merge(present, patch)
  local merged = {}
  for field, value in pairs(present) do merged[field] = value end
  for field, value in pairs(patch) do
    if value == cjson.null then merged[field] = nil else merged[field] = value end
  end
  return merged
end

-- The scores of the classes depend on what a step of priority is worth.
local function reorder(before)
  local after = stepOf()
  local classes = call('ZRANGE', P .. 'c', 0, -1, 'WITHSCORES')
  for i = 1, #classes, 2 do
    call('ZADD', P .. 'c', tonumber(classes[i + 1]) + classes[i] * (before - after), classes[i])
  end
end

-- What follows from new settings.
local function settingsChanged(stepBefore)
  reorder(stepBefore)
  -- Whom the old defaults held may run now: the next sweeps look at each of them.
  call('ZUNIONSTORE', P .. 'tp', 1, P .. 'tp', 'WEIGHTS', 0)
  Q.due = 0
  hints.ready = true
end

function operations.configure(input)
  local settings, step = Q.settings, stepOf()
  settings.limits = merge(settings.limits, input.limits or {})
  settings.tenantDefaults = merge(settings.tenantDefaults, input.tenantDefaults or {})
  settings.aging = input.aging or settings.aging
  for state, rule in pairs(input.retention or {}) do settings.retention[state] = rule end
  Q.settingsVersion = (Q.settingsVersion or 0) + 1
  if input.limits then Q.limitsVersion = (Q.limitsVersion or 0) + 1 end
  limitsInForce = nil
  settingsChanged(step)
  return cjson.encode(settings)
end

local function viewOf(tenant)
  local budget = limitsOf(tenant).budget
  local parked = tenant.held and call('ZSCORE', P .. 'tp', tenant.name)
  parked = parked and tonumber(parked) < HELD_FOR_EVER and math.max(0, tonumber(parked) - now) or false
  return {
    tenant.name, cjson.encode(tenant.limits or {}), tenant.paused and 1 or 0, tenant.ready, tenant.delayed, tenant.leased,
    tenant.waitingBytes, budget and spentIn(tenant, budget.per) or 0, parked and math.ceil(parked) or -1,
  }
end

function operations.limitTenant(input)
  local tenant = tenantOf(input.tenant)
  tenant.limits = merge(tenant.limits or {}, input.limits)
  if not next(tenant.limits) then tenant.limits = false end
  tenant.inForce = nil
  letIn(tenant)
  return viewOf(tenant)
end

function operations.pause(input)
  if input.tenant then tenantOf(input.tenant).paused = true else Q.paused = true end
end

function operations.resume(input)
  hints.ready = true
  if not input.tenant then
    Q.paused = false
    return
  end
  local tenant = tenantOf(input.tenant)
  tenant.paused = false
  letIn(tenant)
end

-- By name; reads a page of rows.
function operations.tenants(input)
  local from = input.cursor and '(' .. input.cursor or '-'
  local views = {}
  for i, name in ipairs(call('ZRANGEBYLEX', P .. 'tn', from, '+', 'LIMIT', 0, input.limit)) do
    local tenant = tenantOf(name)
    views[i] = viewOf(tenant)
  end
  return views
end

-- An unchanged rhythm goes on where it is.
function operations.putSchedule(input)
  local schedule = input.schedule
  local stored = call('HGET', P .. 'y', schedule.key)
  local known = stored and cjson.decode(stored)
  if known and known.cron == schedule.cron and known.timeZone == schedule.timeZone then
    schedule.nextAt, schedule.lastAt = known.nextAt, known.lastAt
  end
  storeSchedule(schedule)
  return cjson.encode(schedule)
end

function operations.removeSchedule(input)
  call('ZREM', P .. 'yn', input.key)
  return call('HDEL', P .. 'y', input.key)
end

function operations.schedules(input)
  if not input.keys then return call('HVALS', P .. 'y') end
  local found = {}
  for _, key in ipairs(input.keys) do
    local stored = call('HGET', P .. 'y', key)
    if stored then found[#found + 1] = stored end
  end
  return found
end
`;
