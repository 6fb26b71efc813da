import { lua } from './lua.ts';

/**
 * Tenants: read when first asked for, written once at the end of the call.
 * Keys: `t` rows, `tn` their names in order, `ti` idle ones that are still ahead of the virtual clock.
 */
export const tenantRows: string = lua`
local tenants = {}

local function tenantOf(name)
  local tenant = tenants[name]
  if tenant then return tenant end
  local packed = call('HGET', P .. 't', name)
  local f = packed and cmsgpack.unpack(packed) or { 0, 0, 0, 0, 0, 0, 0, 0, false, false, false, false }
  tenant = {
    name = name, known = packed and true or false,
    ready = f[1], delayed = f[2], leased = f[3], waitingBytes = f[4],
    vtime = f[5], tat = f[6], spent = f[7], window = f[8],
    paused = f[9], limits = f[10], held = f[11], idle = f[12],
  }
  tenants[name] = tenant
  return tenant
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
local function saveTenant(tenant, rows, gone)
  local blank = isBlank(tenant)
  if blank and (tenant.vtime <= Q.vclock or Q.ready + Q.leased == 0) then
    if tenant.known then gone[#gone + 1] = tenant.name end
    return
  end
  if blank ~= tenant.idle then
    tenant.idle = blank
    if blank then call('ZADD', P .. 'ti', tenant.vtime, tenant.name) else call('ZREM', P .. 'ti', tenant.name) end
  end
  if not tenant.known then call('ZADD', P .. 'tn', 0, tenant.name) end
  rows[#rows + 1] = tenant.name
  rows[#rows + 1] = cmsgpack.pack({
    tenant.ready, tenant.delayed, tenant.leased, tenant.waitingBytes,
    tenant.vtime, tenant.tat, tenant.spent, tenant.window,
    tenant.paused, tenant.limits, tenant.held, tenant.idle,
  })
end

local function saveTenants()
  local rows, gone = {}, {}
  for _, tenant in pairs(tenants) do saveTenant(tenant, rows, gone) end
  for first = 1, #rows, 1000 do
    call('HSET', P .. 't', unpack(rows, first, math.min(first + 999, #rows)))
  end
  for _, name in ipairs(gone) do
    call('HDEL', P .. 't', name)
    call('ZREM', P .. 'tn', name)
    call('ZREM', P .. 'ti', name)
  end
end

local function save()
  saveTenants()
  saveQueue()
end
`;
