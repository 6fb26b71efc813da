import { lua } from './lua.ts';

/**
 * What an exchange with one of several shards has besides. ARGV[14]: the highest fence that the caller knows, whether it would take jobs (1 or 0),
 * the class to serve (empty: any), the virtual time up to which to serve tenants (empty: any), the present virtual time of the queue (empty: unknown).
 *
 * Each shard has a virtual clock of its own; `offset` leads from it to that of the queue. A shard that was without ready jobs since it was last
 * served (`rested`) begins at the queue's present time, like a tenant that was idle.
 */
export const shards: string = lua`
local function toVirtual(text)
  return text ~= '' and tonumber(text) - (Q.offset or 0) or nil
end

local function readShardPart()
  local floor, would, class, upTo, present = string.match(ARGV[14], '^(%d+),(%d),([^,]*),([^,]*),([^,]*)$')
  Q.fence = math.max(Q.fence, tonumber(floor))
  if Q.rested and present ~= '' and Q.ready > 0 then
    Q.offset, Q.rested = tonumber(present) - Q.vclock, false
  end
  wouldClaim, onlyClass, horizon = would == '1', tonumber(class), toVirtual(upTo)
end

-- Class whose turn it is (or nothing), its score, virtual time of its first tenant, its tenants, ready jobs, leased jobs, hold, tokens of the rate,
-- whether the share is out of date, leases of the session, whether the shard has rested, virtual clock, bound on leases of the whole queue (-1: none),
-- version of the settings.
local function shardView()
  local top = call('ZRANGE', P .. 'c', 0, 0, 'WITHSCORES')
  local class, offset = top[1] or '', Q.offset or 0
  local first = top[1] and call('ZRANGE', P .. 'r:' .. class, 0, 0, 'WITHSCORES')[2]
  local isStale = next(Q.settings.limits) and not (Q.share and Q.share.version == Q.limitsVersion)
  return table.concat({
    class, top[2] or 0, string.format('%.17g', tonumber(first or Q.vclock) + offset), top[1] and call('ZCARD', P .. 'r:' .. class) or 0,
    Q.ready, Q.leased, holdOfQueue() or '', queueLimits().rate and string.format('%.17g', tokensOf(queueLimits().rate)) or 0,
    isStale and 1 or 0, call('HLEN', P .. 's:' .. session), Q.rested and 1 or 0, string.format('%.17g', Q.vclock + offset),
    Q.settings.limits.maxLeased or -1, Q.settingsVersion,
  }, ',')
end
`;
