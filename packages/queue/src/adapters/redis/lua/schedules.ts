import { lua } from './lua.ts';

/** Schedules: `y` records as JSON, `yn` their next instants. The core computes instants; here one process is let through for each. */
export const schedules: string = lua`
local function storeSchedule(schedule)
  call('HSET', P .. 'y', schedule.key, cjson.encode(schedule))
  if schedule.nextAt then
    dueAt(schedule.nextAt)
    call('ZADD', P .. 'yn', schedule.nextAt, schedule.key)
  else
    call('ZREM', P .. 'yn', schedule.key)
  end
end

-- The schedule, if it stands where the caller saw it.
local function standingAt(move)
  local stored = call('HGET', P .. 'y', move.key)
  local schedule = stored and cjson.decode(stored)
  if schedule and schedule.nextAt == move.expectedNextAt then return schedule end
end

local function moveSchedule(schedule, move)
  schedule.nextAt = move.nextAt
  schedule.lastAt = move.lastAt
  storeSchedule(schedule)
end
`;
