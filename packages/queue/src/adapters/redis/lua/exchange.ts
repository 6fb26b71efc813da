import { lua } from './lua.ts';

/** What the parts of exchange share. ARGV: session, begin, lease, call, claim, housekeeping, end, number of lost calls, settlements, extensions, progress notes, call of the offer (0: none), its time, what concerns one of several shards (see lua/shards.ts; else empty); then the lost calls and so on; the settlements in two texts: heads (id, line end, fence, a space, bytes of the detail or nothing, line end) and details. */
export const exchangeHead: string = lua`
local session, begin, leaseTime, callNumber = ARGV[1], ARGV[2] == '1', tonumber(ARGV[3]), tonumber(ARGV[4])
local want, housekeeping, ending = tonumber(ARGV[5]), tonumber(ARGV[6]), ARGV[7] == '1'
local offerCall, offerWithin = tonumber(ARGV[12]), tonumber(ARGV[13])
local lostCount, settleCount, extendCount, progressCount = tonumber(ARGV[8]), tonumber(ARGV[9]), tonumber(ARGV[10]), tonumber(ARGV[11])
local HEAD = 14
-- More idle workers than this hear of new jobs by a hint.
local MOST_OFFERS = 30
-- Ids that this call has settled.
local seen = {}
-- Of a queue over several shards: see lua/shards.ts.
local onlyClass, horizon, wouldClaim
`;

/** Calls that came in another order than they were made, and people's wishes. */
export const exchangeRare: string = lua`
-- Claims whose answers nobody will use go back. A repeated call (a client sent it again after a reconnect) is such a claim as well.
local function returnCalls(info)
  local lost = {}
  for i = 1, lostCount do
    lost[ARGV[HEAD + i]] = true
    info[2] = math.max(info[2], tonumber(ARGV[HEAD + i]))
  end
  if callNumber <= info[1] then lost[ARGV[4]] = true end
  local unused, held = {}, call('HGETALL', P .. 's:' .. session)
  for i = 1, #held, 2 do
    local fence, callOfLease = string.match(held[i + 1], LEASE)
    if lost[callOfLease] then unused[#unused + 1] = { fence = tonumber(fence), id = held[i], session = session } end
  end
  returnUnused(unused)
end

local function cancelRequests()
  local answer = {}
  for _, id in ipairs(call('HKEYS', P .. 'a:' .. session)) do
    local lease_ = leaseOf(id)
    if lease_ then
      answer[#answer + 1] = id
      answer[#answer + 1] = lease_.fence
    end
  end
  return answer
end
`;

/** Settle, keep the session, sweep, promote, claim; then the answer. */
export const exchangeMain: string = lua`
local function openSession()
  local expiry = call('ZSCORE', P .. 'ss', session)
  if not expiry and not begin then return nil end
  if expiry and tonumber(expiry) <= now then return nil end
  local packed = call('HGET', P .. 'si', session)
  return packed and cmsgpack.unpack(packed) or { 0, 0, false, false }
end

-- An offer (see lua/hand-off.ts) is over with the session's next call. Answers its call, if nobody has taken it.
local function withdrawOffer()
  for i, offer in ipairs(Q.offers) do
    if offer[1] == session then return table.remove(Q.offers, i)[4] end
  end
end

-- Milliseconds until the first thing known; -1: nothing.
local function nextDue()
  local _, untilTime = holdOfQueue()
  local first = math.min(Q.due, untilTime or HELD_FOR_EVER)
  return first == HELD_FOR_EVER and -1 or math.max(0, math.ceil(first - now))
end

local expired, dueSchedules = {}, {}
local promoted, forgotten = 0, 0

-- Schedules are looked at with the rest: Q.due is a bound of their times, too.
local function sweepWhatIsDue()
  if now < Q.due then return end
  promoted, forgotten = rare().sweepAll(housekeeping, expired)
  dueSchedules = call('ZRANGEBYSCORE', P .. 'yn', '-inf', now, 'LIMIT', 0, 20)
end

local info = openSession()
if not info then
  sweepWhatIsDue()
  save()
  return { now, 'lost', '', '', '', '0', {}, {}, -1, 0, {}, promoted, expired, forgotten }
end
local at = HEAD + lostCount + (settleCount > 0 and 2 or 0)
local settled = settleCount > 0 and settleAll(ARGV[at - 1], ARGV[at]) or ''
local extended = extendCount > 0 and rare().extendAll(at, extendCount) or ''
local progressed = progressCount > 0 and rare().noteProgress(at + extendCount * 3, progressCount) or ''
local withdrawn = #Q.offers > 0 and withdrawOffer()
if lostCount == 1 and callNumber > info[1] and ARGV[HEAD + 1] == tostring(withdrawn) then
  info[2] = math.max(info[2], withdrawn)
elseif lostCount > 0 or callNumber <= info[1] then
  rare().returnCalls(info)
end
info[1] = math.max(info[1], callNumber)
info[3], info[4] = ending, ending
call('HSET', P .. 'si', session, cmsgpack.pack(info))
call('ZADD', P .. 'ss', ending and 0 or now + leaseTime, session)
dueAt(ending and 0 or now + leaseTime)
sweepWhatIsDue()
if ARGV[14] ~= '' then sharding().readShardPart() end
local claimed, firstFence, more = {}, '0', false
if want > 0 and not ending and callNumber > info[2] then
  more = serving().claimUpTo(want)
  claimed, firstFence = claiming().claimed, claiming().writeLeases()
end
if offerCall > 0 and not ending and #claimed < want * 2 and #Q.offers < MOST_OFFERS then
  table.insert(Q.offers, { session, want - #claimed / 2, now + offerWithin, offerCall })
end
saveTenants()
saveQueue(want > 0 and #claimed < want * 2 or wouldClaim and Q.ready == 0)
return {
  now, 'open', settled, extended, progressed, firstFence, claimed, Q.asked > 0 and rare().cancelRequests() or {}, nextDue(),
  more and 1 or 0, dueSchedules, promoted, expired, forgotten, ARGV[14] ~= '' and sharding().shardView() or '',
}
`;
