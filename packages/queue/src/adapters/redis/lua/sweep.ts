import { lua } from './lua.ts';

/** Housekeeping, each part bounded by `limit`: expired sessions and leases, due delays, held tenants, old keys, idle tenants, retention. */
export const sweep: string = lua`
local function expireSession(id, limit, expired)
  local info = cmsgpack.unpack(call('HGET', P .. 'si', id) or cmsgpack.pack({ 0, 0, true, false }))
  local polite, unused = info[4], {}
  local held = call('HRANDFIELD', P .. 's:' .. id, limit, 'WITHVALUES')
  for i = 1, #held, 2 do
    local fence = string.match(held[i + 1], LEASE)
    if polite then
      unused[#unused + 1] = { fence = tonumber(fence), id = held[i], session = id }
    else
      expire(held[i], id, fence, expired)
    end
  end
  returnUnused(unused)
  if call('EXISTS', P .. 's:' .. id) == 0 then
    call('ZREM', P .. 'ss', id)
    call('HDEL', P .. 'si', id)
  else
    call('ZADD', P .. 'ss', 0, id)
  end
  return #held / 2
end

local function expireSessions(limit, expired)
  local room = limit
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'ss', '-inf', now, 'LIMIT', 0, limit)) do
    if room <= 0 then return end
    room = room - expireSession(id, room, expired)
  end
end

local function expireLeases(limit, expired)
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'v', '-inf', now, 'LIMIT', 0, limit)) do
    local lease = leaseOf(id)
    if lease then expire(id, lease.session, lease.fence, expired) else call('ZREM', P .. 'v', id) end
  end
end

local function promoteDue(limit)
  local due = call('ZRANGEBYSCORE', P .. 'z', '-inf', now, 'LIMIT', 0, limit)
  for _, id in ipairs(due) do
    local job = loadJob(id)
    call('ZREM', P .. 'z', id)
    count(job, 'delayed', -1)
    makeWaiting(job, tonumber(job.readyAt))
  end
  return #due
end

local function letInDue(limit)
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'tp', '-inf', now, 'LIMIT', 0, limit)) do
    local tenant = tenantOf(name)
    if tenant.held then letIn(tenant) else call('ZREM', P .. 'tp', name) end
  end
end

local function dropOldKeys(limit)
  for _, key in ipairs(call('ZRANGEBYSCORE', P .. 'du', '-inf', now, 'LIMIT', 0, limit)) do
    local holder = holderOf(key)
    if holder and holder.ends and holder.ends <= now then call('HDEL', P .. 'd', key) end
    call('ZREM', P .. 'du', key)
  end
end

-- Saving the row of an idle tenant that is no longer ahead of the virtual clock removes it.
local function dropIdleTenants(limit)
  if call('EXISTS', P .. 'ti') == 0 then return end
  dueAt(now + 1000)
  local reached = Q.ready + Q.leased == 0 and '+inf' or Q.vclock
  for _, name in ipairs(call('ZRANGEBYSCORE', P .. 'ti', '-inf', reached, 'LIMIT', 0, limit)) do
    local tenant = tenantOf(name)
    if tenant.ready + tenant.delayed + tenant.leased > 0 then call('ZREM', P .. 'ti', name) end
  end
end

-- The time of a kept result is over: retention decides from now on.
local function releaseKept(id)
  local record = recordOf(id)
  if Q.settings.retention.succeeded.count == 0 then
    forget(id, record)
    return 1
  end
  call('ZREM', P .. 'fk', id)
  record.keepUntil = nil
  Q.succeeded.bytes = Q.succeeded.bytes + record.bytes
  call('ZADD', P .. 'f:succeeded', record.order, id)
  call('HSET', P .. 'f', id, cmsgpack.pack(record))
  return 0
end

local function trim(state, limit)
  local rule, kept, forgotten = Q.settings.retention[state], Q[state], 0
  while forgotten < limit and kept.count > 0 do
    local id = call('ZRANGE', P .. 'f:' .. state, 0, 0)[1]
    if not id then break end
    local record = recordOf(id)
    if record.at + rule.age > now and kept.count <= rule.count and kept.bytes <= rule.bytes then break end
    forget(id, record)
    forgotten = forgotten + 1
  end
  return forgotten
end

local function retain(limit)
  local forgotten = 0
  for _, id in ipairs(call('ZRANGEBYSCORE', P .. 'fk', '-inf', now, 'LIMIT', 0, limit)) do
    forgotten = forgotten + releaseKept(id)
  end
  for _, state in ipairs({ 'succeeded', 'dead', 'cancelled' }) do forgotten = forgotten + trim(state, limit) end
  return forgotten
end

-- The first times of everything known, from which Q.due starts anew.
local function lookAhead()
  for _, key in ipairs({ 'z', 'tp', 'v', 'ss', 'yn', 'fk', 'du' }) do
    local top = call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')
    if top[2] then dueAt(tonumber(top[2])) end
  end
  for _, state in ipairs({ 'succeeded', 'dead', 'cancelled' }) do
    local id = Q[state].count > 0 and call('ZRANGE', P .. 'f:' .. state, 0, 0)[1]
    local rule, kept = Q.settings.retention[state], Q[state]
    if id then dueAt((kept.count > rule.count or kept.bytes > rule.bytes) and now or recordOf(id).at + rule.age) end
  end
end

-- For when Q.due is over. Answers how many were promoted and forgotten; notes the expired.
local function sweepAll(limit, expired)
  Q.due = HELD_FOR_EVER
  expireSessions(limit, expired)
  expireLeases(limit, expired)
  local promoted = promoteDue(limit)
  letInDue(limit)
  dropOldKeys(limit)
  local forgotten = retain(limit)
  dropIdleTenants(limit)
  lookAhead()
  return promoted, forgotten
end
`;
