import { lua } from './lua.ts';

/** Control operations that change jobs. At most 500 ids a call; the caller cuts. */
export const controlJobs: string = lua`
local operations = {}

local function finishWaiting(job, state, ending)
  stopWaiting(job, state)
  finishJob(job, ending)
end

local function cancelOne(id)
  local job = loadJob(id)
  if not job then return call('HEXISTS', P .. 'f', id) == 1 and 'finished' or 'unknown' end
  local state = stateOf(job)
  if state ~= 'leased' then
    finishWaiting(job, state, 'cancelled')
    return 'cancelled'
  end
  Q.asked = Q.asked + call('HSET', P .. 'a:' .. call('HGET', P .. 'l', id), id, 1)
  hints.cancel = true
  return 'requested'
end

-- Answers are arrays of strings, in the order of the ids.
function operations.cancel(input)
  local answers = {}
  for i, id in ipairs(input.ids) do answers[i] = cancelOne(id) end
  return answers
end

-- Does change to every id that is a waiting job; answers how many.
local function changeWaiting(ids, change)
  local changed = 0
  for _, id in ipairs(ids) do
    local job = loadJob(id)
    local state = job and stateOf(job)
    if job and state ~= 'leased' and change(job, state) then changed = changed + 1 end
  end
  return changed
end

-- Each joins the end of its new class.
function operations.setPriority(input)
  return changeWaiting(input.ids, function(job, state)
    local waitsForOthers = job.readyAt == 'w'
    stopWaiting(job, state)
    job.priority = input.priority
    makeWaiting(job, state == 'ready' and now or (not waitsForOthers and tonumber(job.readyAt) or nil))
    return true
  end)
end

function operations.promote(input)
  return changeWaiting(input.ids, function(job, state)
    if state ~= 'delayed' or job.readyAt == 'w' then return false end
    reschedule(job, now)
    return true
  end)
end

-- Dead and cancelled jobs wait again, as if new.
function operations.redrive(input)
  local revived = 0
  for _, id in ipairs(input.ids) do
    local record = recordOf(id)
    if record and record.state ~= 'succeeded' then
      unkeep(id, record)
      local job = parseJob(id, record.body)
      job.attempts, job.extras.n, job.extras.d = 0, nil, nil
      makeWaiting(job, now + input.offset + revived * input.spacing)
      revived = revived + 1
    end
  end
  return revived
end

function operations.purge(input)
  local removed = 0
  for _, id in ipairs(input.ids) do
    local record = recordOf(id)
    if record then
      forget(id, record)
      removed = removed + 1
    end
  end
  return removed
end
`;
