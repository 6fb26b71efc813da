import { lua } from './lua.ts';

/**
 * Tenants: read when first asked for, written once at the end of the call.
 * Keys: `t` rows, `tn` their names in order, `ti` idle ones that are still ahead of the virtual clock.
 */
export const tenantRows: string = lua`
local tenants = {}

local function keepTenant(name, known, ready, delayed, leased, waitingBytes, vtime, tat, spent, window, paused, limits, held, idle)
  tenants[name] = {
    name = name, known = known, ready = ready, delayed = delayed, leased = leased, waitingBytes = waitingBytes,
    vtime = vtime, tat = tat or 0, spent = spent or 0, window = window or 0,
    paused = paused or false, limits = limits or false, held = held or false, idle = idle or false,
  }
  return tenants[name]
end

-- A row is read as values, not as an array of them, which would cost five times as much; of most tenants it has five.
local function readTenant(name, packed)
  if packed then return keepTenant(name, true, cmsgpack.unpack(packed)) end
  return keepTenant(name, false, 0, 0, 0, 0, 0)
end

local function packTenant(tenant)
  local ready, delayed, leased, waitingBytes, vtime = tenant.ready, tenant.delayed, tenant.leased, tenant.waitingBytes, tenant.vtime
  if tenant.tat == 0 and tenant.spent == 0 and not (tenant.paused or tenant.limits or tenant.held or tenant.idle) then
    return cmsgpack.pack(ready, delayed, leased, waitingBytes, vtime)
  end
  return cmsgpack.pack(
    ready, delayed, leased, waitingBytes, vtime, tenant.tat, tenant.spent, tenant.window, tenant.paused, tenant.limits, tenant.held, tenant.idle
  )
end

local function tenantOf(name)
  return tenants[name] or readTenant(name, call('HGET', P .. 't', name))
end

-- Reads many rows at once; at most 1,000 names.
local function loadTenants(names)
  if #names < 2 then return end
  for i, packed in ipairs(call('HMGET', P .. 't', unpack(names))) do
    if not tenants[names[i]] then readTenant(names[i], packed) end
  end
end

local function limitsOf(tenant)
  if not tenant.limits then return Q.settings.tenantDefaults end
  if not tenant.inForce then
    tenant.inForce = {}
    for field, value in pairs(Q.settings.tenantDefaults) do tenant.inForce[field] = value end
    for field, value in pairs(tenant.limits) do tenant.inForce[field] = value end
  end
  return tenant.inForce
end

local function isBlank(tenant)
  if tenant.ready + tenant.delayed + tenant.leased > 0 then return false end
  if tenant.limits or tenant.paused or tenant.held or tenant.tat > now then return false end
  local budget = limitsOf(tenant).budget
  return not budget or tenant.spent == 0 or tenant.window ~= math.floor(now / budget.per)
end

-- A tenant with nothing in it is forgotten, but not while it is ahead of the others: it would come back with a share it has used up.
local function saveTenant(tenant, out)
  local blank = isBlank(tenant)
  if blank and (tenant.vtime <= Q.vclock or Q.ready + Q.leased == 0) then
    if tenant.known then out.gone[#out.gone + 1] = tenant.name end
    return
  end
  if blank ~= tenant.idle then
    tenant.idle = blank
    if blank then
      dueAt(now + 1000)
      call('ZADD', P .. 'ti', tenant.vtime, tenant.name)
    else
      out.busy[#out.busy + 1] = tenant.name
    end
  end
  if not tenant.known then
    out.names[#out.names + 1] = 0
    out.names[#out.names + 1] = tenant.name
  end
  out.rows[#out.rows + 1] = tenant.name
  out.rows[#out.rows + 1] = packTenant(tenant)
end

local function saveTenants()
  if not next(tenants) then return end
  local out = { rows = {}, names = {}, gone = {}, busy = {} }
  for _, tenant in pairs(tenants) do saveTenant(tenant, out) end
  setMany('t', out.rows)
  callMany('ZADD', 'tn', out.names)
  callMany('ZREM', 'ti', out.busy)
  callMany('HDEL', 't', out.gone)
  callMany('ZREM', 'tn', out.gone)
  callMany('ZREM', 'ti', out.gone)
end

local function save()
  saveTenants()
  saveQueue()
end
`;
