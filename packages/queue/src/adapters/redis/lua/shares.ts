import { lua } from './lua.ts';

/**
 * Shares of the queue's limits, of a queue over several shards. All shards keep the settings of the whole queue, and each its share of the limits.
 * Whoever divides them anew is given an epoch by the first shard, shows it to all shards, which from then on obey no older one, takes before it
 * gives, and gives no more than it knows to be free: so the shares never add up to more than the limits, whoever stops at whatever point.
 */
export const shares: string = lua`
-- Whole starts that the rate allows now, and parts of one.
local function tokensOf(rate)
  if rate.limit == 0 then return 0 end
  return rate.burst - math.max(0, Q.tat - now) * rate.limit / rate.per
end
`;

/** Control operations of shares. */
export const controlShares: string = lua`
-- Settings as the first shard has them; older ones than those here change nothing.
local function adopt(input)
  if input.settingsVersion <= Q.settingsVersion then return end
  local step = stepOf()
  Q.settings, Q.settingsVersion, Q.limitsVersion, limitsInForce = input.settings, input.settingsVersion, input.limitsVersion, nil
  settingsChanged(step)
end

function operations.adopt(input)
  adopt(input)
end

local function settingsAnswer()
  return { settings = Q.settings, settingsVersion = Q.settingsVersion, limitsVersion = Q.limitsVersion }
end

function operations.settings()
  return cjson.encode(settingsAnswer())
end

-- On the first shard only.
function operations.beginShares()
  Q.epoch = (Q.epoch or 0) + 1
  local answer = settingsAnswer()
  answer.epoch = Q.epoch
  return cjson.encode(answer)
end

local function isLate(input)
  return input.epoch < (Q.shareEpoch or 0)
end

local function validShare()
  return Q.share and Q.share.version == Q.limitsVersion and Q.share.limits
end

local function setTokens(rate, tokens)
  if rate.limit > 0 then Q.tat = now + (rate.burst - tokens) * rate.per / rate.limit end
end

-- Tokens of the rate are taken out: whoever divides gives them to those who can use them. At first each shard has its part of the burst.
local function takeTokens(share)
  local rate = Q.settings.limits.rate
  if not rate then return 0 end
  if not share then return Q.tat <= now and (rate.burst or rate.limit) / SHARDS or 0 end
  local tokens = math.max(0, tokensOf(share.rate))
  setTokens(share.rate, 0)
  return tokens
end

-- What is in use of each limit: an array as of the core's contract, see shares.ts. Nothing: somebody divides under a later epoch.
function operations.lookShares(input)
  if isLate(input) then return cjson.encode({ late = true }) end
  Q.shareEpoch = input.epoch
  adopt(input)
  local share = validShare()
  return cjson.encode({
    leased = Q.leased, ready = Q.ready, waiting = Q.ready + Q.delayed, bytes = Q.waitingBytes, share = share or nil, tokens = takeTokens(share),
  })
end

function operations.setShare(input)
  if isLate(input) or input.limitsVersion ~= Q.limitsVersion then return cjson.encode({ late = true }) end
  Q.share = { version = Q.limitsVersion, limits = input.limits }
  limitsInForce = nil
  if input.limits.rate then setTokens(input.limits.rate, input.tokens) end
  Q.due = 0
  hints.ready = Q.ready > 0 or nil
  return cjson.encode({ leased = Q.leased, waiting = Q.ready + Q.delayed, bytes = Q.waitingBytes })
end
`;
