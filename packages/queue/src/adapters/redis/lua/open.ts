import { lua } from './lua.ts';

/** Creates the state of a shard where there is none. ARGV: settings as JSON, number of shards, which of them. Answers the layout and the number of shards that are there. */
export const openMain: string = lua`
local key = KEYS[1] .. 'q'
local packed = redis.call('GET', key)
if packed then
  local found = cmsgpack.unpack(packed)
  return { found.layout, found.shards or 1 }
end
local function kept() return { count = 0, bytes = 0 } end
redis.call('SET', key, cmsgpack.pack({
  layout = LAYOUT, settings = cjson.decode(ARGV[1]), paused = false, hungry = false,
  offers = {}, due = 0, hintAt = 0, graves = 0, memos = 0, asked = 0, fence = 0, number = 0, vclock = 0, tat = 0, ready = 0, delayed = 0, leased = 0, waitingBytes = 0,
  succeeded = kept(), dead = kept(), cancelled = kept(),
  shards = tonumber(ARGV[2]), shard = tonumber(ARGV[3]), settingsVersion = 0, limitsVersion = 0,
}))
return { LAYOUT, tonumber(ARGV[2]) }
`;

/** Keeps a session alive. ARGV: session, lease in milliseconds. Answers 1, or 0 when it is over. */
export const renewMain: string = lua`
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local expiry = redis.call('ZSCORE', KEYS[1] .. 'ss', ARGV[1])
if not expiry or tonumber(expiry) <= now then return 0 end
redis.call('ZADD', KEYS[1] .. 'ss', 'XX', now + ARGV[2], ARGV[1])
return 1
`;
