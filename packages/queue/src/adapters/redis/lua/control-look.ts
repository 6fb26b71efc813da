import { lua } from './lua.ts';

/** Control operations that only look. Scans are made of many calls, each bounded. */
export const controlLook: string = lua`
-- { id, state, body, finishedAt, result, session, fence, claimedAt, cancelRequested, failures, logs, progress }
local function view(id, state, body, record)
  local memo, lease_ = memoOf(id), state == 'leased' and leaseOf(id)
  return {
    id, state, body, record and record.at or false, record and record.result or false,
    lease_ and lease_.session or false, lease_ and lease_.fence or false, lease_ and lease_.claimedAt or false,
    lease_ and call('HEXISTS', P .. 'a:' .. lease_.session, id) or 0, memo.failures, memo.logs, memo.progress,
  }
end

local function viewById(id)
  local job = loadJob(id)
  if job then return view(id, stateOf(job), formatJob(job)) end
  local record = recordOf(id)
  return record and view(id, record.state, record.body, record)
end

function operations.job(input)
  return viewById(input.id)
end

function operations.counts()
  local answer = { Q.ready, Q.delayed, Q.leased, Q.succeeded.count, Q.dead.count, Q.cancelled.count, Q.waitingBytes }
  answer[8] = call('ZCOUNT', P .. 'ss', '(' .. now, '+inf')
  answer[9] = Q.paused and 1 or 0
  answer[10] = now
  return answer
end

-- The live head of a line, seen past at most 100 tombstones.
local function oldestOfLine(class, name)
  for _, id in ipairs(call('LRANGE', lineOf(class, name), 0, 100)) do
    local body = call('HGET', P .. 'b', id)
    if body and call('HEXISTS', P .. 'x', class .. ':' .. name .. '\n' .. id) == 0 then return readyAtOf(parseJob(id, body)) end
  end
end

-- The earliest readyAt of a page of tenants: { time or -1, last tenant or nothing }.
function operations.oldest(input)
  local from = input.cursor and '(' .. input.cursor or '-'
  local names = call('ZRANGEBYLEX', P .. 'tn', from, '+', 'LIMIT', 0, 200)
  local oldest
  for _, name in ipairs(names) do
    for _, class in ipairs(call('SMEMBERS', P .. 'tc:' .. name)) do
      local readyAt = oldestOfLine(class, name)
      if readyAt and (not oldest or readyAt < oldest) then oldest = readyAt end
    end
  end
  return { oldest or -1, #names == 200 and names[200] or '' }
end

function operations.priorities()
  return call('HGETALL', P .. 'n')
end

function operations.errorGroups(input)
  local groups = {}
  local top = call('ZREVRANGE', P .. 'gn', 0, input.limit - 1, 'WITHSCORES')
  for i = 1, #top, 2 do
    local group = cmsgpack.unpack(call('HGET', P .. 'g', top[i]))
    groups[#groups + 1] = { top[i], top[i + 1], group.message, group.code, digits(group.at), group.sample }
  end
  return groups
end

function operations.children(input)
  local answer = {}
  for i, packed in ipairs(call('LRANGE', P .. 'k:' .. input.parentId, 0, -1)) do
    local child = cmsgpack.unpack(packed)
    answer[i] = { child.id, child.name, child.state, child.result, child.failure }
  end
  return answer
end

-- Jobs of the tenant that stand before this one, counted up to 1,000.
local function aheadOf(job)
  local ahead = call('LPOS', lineOf(job.priority, job.tenant), job.id, 'MAXLEN', 1000) or 1000
  for _, class in ipairs(call('SMEMBERS', P .. 'tc:' .. job.tenant)) do
    if tonumber(class) > job.priority then ahead = ahead + call('LLEN', lineOf(class, job.tenant)) end
    if ahead >= 1000 then return 1000 end
  end
  return ahead
end

local function explainReady(job)
  local reason, untilTime = holdOfQueue()
  if not reason then reason, untilTime = holdOf(tenantOf(job.tenant), job.cost) end
  local ahead = aheadOf(job)
  if not reason then
    local sessions = call('ZCOUNT', P .. 'ss', '(' .. now, '+inf')
    reason = sessions == 0 and 'no-worker' or 'next-in-line'
  end
  return { reason, untilTime and math.ceil(untilTime) or -1, ahead }
end

-- { reason, until or -1, ahead or -1 }
function operations.explain(input)
  local job = loadJob(input.id)
  if not job then return { call('HEXISTS', P .. 'f', input.id) == 1 and 'finished' or 'unknown-job', -1, -1 } end
  local state = stateOf(job)
  if state == 'leased' then return { 'running', -1, -1 } end
  if state == 'ready' then return explainReady(job) end
  if job.readyAt ~= 'w' then return { 'delayed', tonumber(job.readyAt), -1 } end
  return { (job.extras.n or 0) > 0 and 'waits-for-children' or 'waits-for-previous', -1, -1 }
end

local function matches(job, state, filter)
  if filter.state and filter.state ~= state then return false end
  if filter.name and filter.name ~= job.name then return false end
  if filter.tenant and filter.tenant ~= job.tenant then return false end
  if filter.after and job.number <= filter.after then return false end
  if filter.enqueuedBefore and math.floor(job.number / 1000) >= filter.enqueuedBefore then return false end
  if not filter.fingerprint then return true end
  local failure = lastFailure(job.id)
  return failure and cjson.decode(failure).fingerprint == filter.fingerprint
end

-- One step over a hash (b or f): { next cursor, numbers and ids of what matches }.
function operations.scan(input)
  local step = call('HSCAN', P .. input.hash, input.cursor, 'COUNT', 200)
  local found = {}
  for i = 1, #step[2], 2 do
    local id, body, state = step[2][i], step[2][i + 1], nil
    if input.hash == 'f' then
      local record = cmsgpack.unpack(body)
      body, state = record.body, record.state
    end
    local job = parseJob(id, body)
    if matches(job, state or stateOf(job), input.filter) then
      found[#found + 1] = digits(job.number)
      found[#found + 1] = id
    end
  end
  return { step[1], found }
end

function operations.views(input)
  local views = {}
  for _, id in ipairs(input.ids) do
    local found = viewById(id)
    if found then views[#views + 1] = found end
  end
  return views
end
`;
