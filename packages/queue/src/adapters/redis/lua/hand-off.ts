import { lua } from './lua.ts';

/**
 * Idle sessions stand in `Q.offers`, in order of their coming: session, most jobs, the time until which they wait, and the call under which
 * the jobs are leased. Who makes jobs ready leases what the first of them may have, and publishes it on the session's channel `to:<session>`.
 * A message that nobody receives is found by the session's next call, which names the call as lost.
 */
export const handOff: string = lua`
-- The first that still waits, and whose process is still connected: one that was killed must not be given jobs.
local function nextOffer()
  while Q.offers[1] do
    local offer = table.remove(Q.offers, 1)
    if offer[3] > now and call('PUBSUB', 'NUMSUB', P .. 'to:' .. offer[1])[2] > 0 then return offer end
  end
end

-- Whom the jobs are leased to that are claimed from now on.
local function leaseTo(offer)
  session, callNumber = offer[1], offer[4]
end

local function publishClaimed()
  local claims = claiming()
  local message = { digits(callNumber), digits(now), claims.writeLeases(), claims.claimed }
  call('PUBLISH', P .. 'to:' .. session, cjson.encode(message))
end

-- Of the jobs that stand in lines.
local function handOff()
  local offer = nextOffer()
  if not offer then return end
  leaseTo(offer)
  serving().claimUpTo(offer[2])
  if #claiming().claimed == 0 then
    table.insert(Q.offers, 1, offer)
    return
  end
  publishClaimed()
  if Q.ready == 0 then hints.ready = nil end
end

-- The only ready job, which has just been made: putting it in a line and taking it out again would cost as much as all the rest.
-- Answers whether it was handed over.
local function handOffNew(id, body, tenant)
  if session or Q.ready ~= 1 or Q.graves > 0 or limitsOf(tenant).budget or holdOfQueue() or holdOf(tenant, 0) then return false end
  local offer = nextOffer()
  if not offer then return false end
  leaseTo(offer)
  claiming().takeNew(id, body, tenant)
  publishClaimed()
  return true
end
`;
