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

local function handOff()
  local offer = nextOffer()
  if not offer then return end
  session, callNumber = offer[1], offer[4]
  local claiming_ = claiming()
  serving().claimUpTo(offer[2])
  local jobs = claiming_.claimed
  if #jobs == 0 then
    table.insert(Q.offers, 1, offer)
    return
  end
  local message = { digits(callNumber), digits(now), claiming_.writeLeases(), jobs }
  call('PUBLISH', P .. 'to:' .. session, cjson.encode(message))
  if Q.ready == 0 then hints.ready = nil end
end
`;
