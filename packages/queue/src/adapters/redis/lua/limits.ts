import { lua } from './lua.ts';

/** What keeps the queue or a tenant from running a job. The rate is the generic cell rate algorithm (ITU-T I.371): one number per limit. */
export const limits: string = lua`
-- The limits of the queue; of a queue over several shards, this shard's share of them (see lua/shares.ts). A share of limits that have
-- changed since is none: the limits hold whatever becomes of who divides them.
local NO_SHARE = { maxLeased = 0, maxWaiting = 0, maxWaitingBytes = 0, rate = { limit = 0, per = 1, burst = 0 } }
local limitsInForce

local function queueLimits()
  if limitsInForce then return limitsInForce end
  limitsInForce = Q.settings.limits
  if SHARDS > 1 and next(limitsInForce) then
    local isValid = Q.share and Q.share.version == Q.limitsVersion
    limitsInForce = {}
    for field in pairs(Q.settings.limits) do limitsInForce[field] = (isValid and Q.share.limits or NO_SHARE)[field] end
  end
  return limitsInForce
end

local function nextAllowed(tat, rate)
  local interval = rate.per / rate.limit
  return tat + interval - interval * (rate.burst or rate.limit)
end

local function afterStart(tat, rate)
  return math.max(tat, now) + rate.per / rate.limit
end

local function spentIn(tenant, per)
  if tenant.window == math.floor(now / per) then return tenant.spent end
  return 0
end

local function spend(tenant, units)
  local budget = limitsOf(tenant).budget
  if not budget or units == 0 then return end
  local spent = spentIn(tenant, budget.per)
  tenant.window = math.floor(now / budget.per)
  tenant.spent = math.max(0, spent + units)
end

-- Answers the reason and, where it ends by itself, the time.
local function holdOfQueue()
  if Q.paused then return 'queue-paused' end
  local limits = queueLimits()
  if limits.maxLeased and Q.leased >= limits.maxLeased then return 'queue-concurrency' end
  if not limits.rate then return nil end
  if limits.rate.limit == 0 then return 'queue-rate' end
  local until_ = nextAllowed(Q.tat, limits.rate)
  if until_ > now then return 'queue-rate', until_ end
end

local function holdOf(tenant, cost)
  if tenant.paused then return 'tenant-paused' end
  local limits = limitsOf(tenant)
  if limits.maxLeased and tenant.leased >= limits.maxLeased then return 'tenant-concurrency' end
  if limits.rate then
    local until_ = nextAllowed(tenant.tat, limits.rate)
    if until_ > now then return 'tenant-rate', until_ end
  end
  local budget = limits.budget
  if not budget then return nil end
  local spent = spentIn(tenant, budget.per)
  -- A job dearer than the whole budget may run in an untouched window: else it would wait for ever.
  if spent == 0 or spent + cost <= budget.units then return nil end
  return 'tenant-budget', (math.floor(now / budget.per) + 1) * budget.per
end
`;
