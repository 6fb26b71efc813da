import { lua } from './lua.ts';

/**
 * Leases. `s:<session>` holds `fence:call:claimedAt:kind:tenant` per job id (kind `x`: the end of the lease needs the body), `l` maps ids to
 * sessions, `ss` sessions to their end, `si` keeps [highest call, barrier, over, polite] of each, `v` jobs' own lease ends,
 * `a:<session>` ids asked to stop.
 */
export const leases: string = lua`
local LEASE = '^(%d+):(%d+):(%d+):(.?):(.*)$'

local function leaseOf(id)
  local session = call('HGET', P .. 'l', id)
  local packed = session and call('HGET', P .. 's:' .. session, id)
  if not packed then return nil end
  local fence, callNumber, claimedAt = string.match(packed, LEASE)
  return { session = session, fence = fence, call = tonumber(callNumber), claimedAt = claimedAt }
end

local function dropLease(id, session)
  call('HDEL', P .. 's:' .. session, id)
  call('HDEL', P .. 'l', id)
  call('ZREM', P .. 'v', id)
  if Q.asked == 0 or call('HDEL', P .. 'a:' .. session, id) == 0 then return false end
  Q.asked = Q.asked - 1
  return true
end

-- Takes the job from its session: concurrency is free again, the cost is what it was. Answers whether somebody asked to cancel it.
local function endLease(job, session, cost)
  local tenant = tenantOf(job.tenant)
  tenant.leased = tenant.leased - 1
  Q.leased = Q.leased - 1
  spend(tenant, cost - job.cost)
  letIn(tenant)
  return dropLease(job.id, session)
end

local function shareOf(job, tenant)
  return math.max(job.cost, 1) / (limitsOf(tenant).weight or 1)
end

-- Ready in its old place, as if it had not been claimed: share and rate are taken back.
local function giveBack(job, cancelled)
  if cancelled then return finishJob(job, 'cancelled') end
  local tenant = tenantOf(job.tenant)
  local rate = limitsOf(tenant).rate
  tenant.vtime = tenant.vtime - shareOf(job, tenant)
  if rate then tenant.tat = tenant.tat - rate.per / rate.limit end
  letIn(tenant)
  makeWaiting(job, now, true)
  if not tenant.held then enterRing(tenant, job.priority) end
end

local function comeBack(job, readyAt, cancelled)
  if cancelled then return finishJob(job, 'cancelled') end
  makeWaiting(job, readyAt)
end

-- Gives many leases back that were never used: the last claimed first, so that all stand in their old order. unused: { fence, id, session } each.
local function returnUnused(unused)
  table.sort(unused, function(a, b) return a.fence > b.fence end)
  for _, lease in ipairs(unused) do
    local job = loadJob(lease.id)
    giveBack(job, endLease(job, lease.session, 0))
  end
end

local LEASE_LOST = 'The lease ended without a settlement: the worker died, was cut off, or did not extend it.'

-- A lease ended without settlement: the attempt counts, the job is ready at once, or dead.
local function expire(id, session, fence, expired)
  local job = loadJob(id)
  local cancelled = endLease(job, session, job.cost)
  job.attempts = job.attempts + 1
  addFailure(id, cjson.encode({
    attempt = job.attempts, at = now, code = 'ERR_LEASE_LOST', fingerprint = 'ERR_LEASE_LOST', message = LEASE_LOST,
  }))
  local last = job.attempts >= job.maxAttempts
  for _, field in ipairs({ id, job.name, job.tenant, fence, last and 'dead' or 'ready' }) do expired[#expired + 1] = field end
  if last and not cancelled then finishJob(job, 'dead') else comeBack(job, now, cancelled) end
end
`;
