import { lua } from './lua.ts';

/** Ends jobs: frees the dedupe key, tells the parent, keeps or forgets the job. Needs `jobs`. */
export const finish: string = lua`
local function holderOf(key)
  local packed = call('HGET', P .. 'd', key)
  return packed and cmsgpack.unpack(packed)
end

local function storeHolder(key, holder)
  call('HSET', P .. 'd', key, cmsgpack.pack(holder))
end

-- The follow-up of a keep-last key takes it over and may start.
local function passKeyOn(key, nextId)
  local follower = nextId and loadJob(nextId)
  if not follower then
    call('HDEL', P .. 'd', key)
    return
  end
  storeHolder(key, { id = nextId })
  reschedule(follower, now)
end

local function freeKey(job)
  local key = job.extras.d
  local holder = key and holderOf(key)
  if not holder or holder.ends then return end
  if holder.next == job.id then
    holder.next = nil
    storeHolder(key, holder)
  elseif holder.id == job.id then
    passKeyOn(key, holder.next)
  end
end

local function lastFailure(id)
  local memo = memoOf(id)
  return memo.failures[#memo.failures]
end

local function addToGroup(id)
  local text = lastFailure(id)
  if not text then return end
  local failure = cjson.decode(text)
  local packed = call('HGET', P .. 'g', failure.fingerprint)
  local group = packed and cmsgpack.unpack(packed) or { at = 0 }
  if failure.at >= group.at then
    group.at, group.message, group.code, group.sample = failure.at, failure.message, failure.code, id
  end
  call('HSET', P .. 'g', failure.fingerprint, cmsgpack.pack(group))
  call('ZINCRBY', P .. 'gn', 1, failure.fingerprint)
end

local function takeFromGroup(id)
  local text = lastFailure(id)
  if not text then return end
  local fingerprint = cjson.decode(text).fingerprint
  if tonumber(call('ZINCRBY', P .. 'gn', -1, fingerprint)) <= 0 then
    call('ZREM', P .. 'gn', fingerprint)
    call('HDEL', P .. 'g', fingerprint)
  end
end

-- Bytes that count against retention.
local function keptBytes(job, result)
  local bytes = job.bytes + (result and #result or 0)
  for _, failure in ipairs(memoOf(job.id).failures) do bytes = bytes + #cjson.decode(failure).message end
  return bytes
end

local function keep(job, state, result, keepUntil)
  Q.number = nextNumber(Q.number)
  local kept = Q[state]
  local record = { state = state, body = formatJob(job), at = now, result = result or false, bytes = keptBytes(job, result), order = Q.number }
  record.children = job.extras.c
  kept.count = kept.count + 1
  if keepUntil then
    record.keepUntil = keepUntil
    dueAt(keepUntil)
    call('ZADD', P .. 'fk', keepUntil, job.id)
  else
    kept.bytes = kept.bytes + record.bytes
    local rule = Q.settings.retention[state]
    dueAt((kept.count > rule.count or kept.bytes > rule.bytes) and now or now + rule.age)
    call('ZADD', P .. 'f:' .. state, Q.number, job.id)
  end
  call('HSET', P .. 'f', job.id, cmsgpack.pack(record))
  if state == 'dead' then addToGroup(job.id) end
end

local function dropChildren(id)
  call('DEL', P .. 'k:' .. id)
end

local function keepOrForget(job, state, result)
  call('HDEL', P .. 'b', job.id)
  if state == 'succeeded' and job.extras.k then
    keep(job, state, result, now + job.extras.k)
  elseif Q.settings.retention[state].count == 0 then
    dropMemo(job.id)
    if job.extras.c then dropChildren(job.id) end
  else
    keep(job, state, result)
  end
end

local function recordOf(id)
  local packed = call('HGET', P .. 'f', id)
  return packed and cmsgpack.unpack(packed)
end

-- Takes a finished job out of what is kept; what is known of it and of its children stays.
local function unkeep(id, record)
  local kept = Q[record.state]
  kept.count = kept.count - 1
  if record.keepUntil then
    call('ZREM', P .. 'fk', id)
  else
    kept.bytes = kept.bytes - record.bytes
    call('ZREM', P .. 'f:' .. record.state, id)
  end
  if record.state == 'dead' then takeFromGroup(id) end
  call('HDEL', P .. 'f', id)
end

-- Removes a finished job. What a parent knows of its children goes with it, not before: it may be redriven.
local function forget(id, record)
  unkeep(id, record)
  dropMemo(id)
  if record.children then dropChildren(id) end
end

local finishJob

local function failParent(parent, child, state)
  local name = child.name
  addFailure(parent.id, cjson.encode({
    attempt = parent.attempts, at = now, code = 'ERR_CHILD_FAILED',
    message = 'The child job ' .. child.id .. ' (' .. name .. ') ended ' .. state .. '.',
    fingerprint = 'ERR_CHILD_FAILED ' .. name .. ' ' .. state,
  }))
  stopWaiting(parent, 'delayed')
  finishJob(parent, 'dead')
end

local function tellParent(child, state, result)
  local parent = loadJob(child.extras.p)
  if not parent or not parent.extras.n or parent.extras.n == 0 then return end
  call('RPUSH', P .. 'k:' .. parent.id, cmsgpack.pack({
    id = child.id, name = child.name, state = state, result = result or false, failure = lastFailure(child.id) or false,
  }))
  parent.extras.n = parent.extras.n - 1
  if state ~= 'succeeded' and not child.extras.i then
    failParent(parent, child, state)
  elseif parent.extras.n == 0 then
    reschedule(parent, now)
  else
    storeJob(parent)
  end
end

-- The job is counted neither as waiting nor as leased any more.
function finishJob(job, state, result)
  if job.extras.d then freeKey(job) end
  if job.extras.p then tellParent(job, state, result) end
  keepOrForget(job, state, result)
  hints.finished = true
end
`;
