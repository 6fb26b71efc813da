import { lua } from './lua.ts';

/** Ends attempts, the usual way. Plain acks (no result, no extras, nothing kept) never touch the body; they are removed in one command each per key. */
export const settle: string = lua`
-- What leases say behind their fences, kind and tenant: many of one call say the same.
local readings, tenantNames = {}, {}

local function readingOf(text)
  local reading = readings[text]
  if not reading then
    local kind, name = string.match(text, '^:%d+:%d+:(.?):(.*)$')
    reading = { kind = kind, name = name }
    readings[text] = reading
    if #tenantNames < 1000 then tenantNames[#tenantNames + 1] = name end
  end
  return reading
end

-- Of each id what the lease says that this session has of it under this fence; false where it has none.
local function readLeases(ids, fences)
  local found = {}
  for first = 1, #ids, 1000 do
    for i, packed in ipairs(call('HMGET', P .. 's:' .. session, unpack(ids, first, math.min(first + 999, #ids)))) do
      local at = first + i - 1
      local colon = packed and string.find(packed, ':', 1, true)
      local isSame = colon and string.sub(packed, 1, colon - 1) == fences[at]
      found[at] = isSame and readingOf(string.sub(packed, colon))
    end
  end
  loadTenants(tenantNames)
  return found
end

local function ackPlain(plain)
  if #plain == 0 then return end
  Q.leased = Q.leased - #plain
  callMany('HDEL', 's:' .. session, plain)
  callMany('HDEL', 'l', plain)
  callMany('HDEL', 'b', plain)
  if Q.memos > 0 or Q.asked > 0 then rare().dropNotes(plain) end
end

-- Takes the settlements out of their heads: ids, fences, and lengths of the details (nothing for most).
local function readHeads(text)
  local ids, fences, lengths, count_ = {}, {}, {}, 0
  for id, fence, length in string.gmatch(text, '([^\n]+)\n(%d+) (%d*)\n') do
    count_ = count_ + 1
    ids[count_], fences[count_], lengths[count_] = id, fence, length
  end
  return ids, fences, lengths
end

local plain, released, ended

local function settleOne(id, fence, lease, detail)
  if lease.kind == '' and (detail == '' or string.byte(detail) == 114) and Q.settings.retention.succeeded.count == 0 then
    plain[#plain + 1] = id
    local tenant = tenantOf(lease.name)
    tenant.leased = tenant.leased - 1
    ended[tenant] = true
  elseif detail == 'back' then
    released[#released + 1] = { fence = tonumber(fence), id = id, session = session }
  else
    rare().settleFully(id, detail)
  end
end

-- Answers a mark for each: 1 applied, 0 stale.
local function settleAll(heads, details)
  local ids, fences, lengths = readHeads(heads)
  local found, marks, at = readLeases(ids, fences), {}, 1
  plain, released, ended = {}, {}, {}
  for i, id in ipairs(ids) do
    local detail = ''
    if lengths[i] ~= '' then
      detail = string.sub(details, at, at + lengths[i] - 1)
      at = at + lengths[i]
    end
    local applies = found[i] and not seen[id]
    marks[i] = applies and '1' or '0'
    if applies then
      settleOne(id, fences[i], found[i], detail)
      seen[id] = true
    end
  end
  ackPlain(plain)
  for tenant in pairs(ended) do letIn(tenant) end
  if #released > 0 then rare().returnUnused(released) end
  return table.concat(marks)
end
`;

/** Ends attempts in any other way, extends leases, notes progress. */
export const settleRare: string = lua`
-- Nothing: ack. r and text: ack with this result. Else JSON { k: kind, d: delay, c: cost, f: failure as JSON, r: result }.
local function readDetail(detail)
  if detail == '' then return {} end
  if string.sub(detail, 1, 1) == 'r' then return { r = string.sub(detail, 2) } end
  return cjson.decode(detail)
end

local function settleFully(id, text)
  local job, detail = loadJob(id), readDetail(text)
  local kind = detail.k or 'ack'
  local notRun = kind == 'release' or kind == 'snooze'
  local cancelled = endLease(job, session, detail.c or (notRun and 0 or job.cost))
  if not notRun then job.attempts = job.attempts + 1 end
  if detail.f then addFailure(id, detail.f) end
  if kind == 'ack' then finishJob(job, 'succeeded', detail.r)
  elseif kind == 'cancelled' then finishJob(job, 'cancelled')
  elseif kind == 'dead' then finishJob(job, 'dead')
  elseif kind == 'release' then giveBack(job, cancelled)
  else comeBack(job, now + detail.d, cancelled) end
end

-- What is known of plain jobs besides their bodies.
local function dropNotes(ids)
  for _, id in ipairs(ids) do
    dropMemo(id)
    if Q.asked > 0 then Q.asked = Q.asked - call('HDEL', P .. 'a:' .. session, id) end
  end
end

local function holds(id, fence)
  local packed = not seen[id] and call('HGET', P .. 's:' .. session, id)
  return packed and string.match(packed, LEASE) == fence
end

local function extendAll(base, count_)
  local marks = {}
  for i = 1, count_ do
    local id, fence, visibility = unpack(ARGV, base + i * 3 - 2, base + i * 3)
    local held = holds(id, fence)
    marks[i] = held and '1' or '0'
    if held then
      dueAt(now + visibility)
      call('ZADD', P .. 'v', now + visibility, id)
      -- Plain acks leave v alone.
      local packed = call('HGET', P .. 's:' .. session, id)
      call('HSET', P .. 's:' .. session, id, (string.gsub(packed, '^(%d+:%d+:%d+):.?:', '%1:x:')))
    end
  end
  return table.concat(marks)
end

local function noteProgress(base, count_)
  local marks = {}
  for i = 1, count_ do
    local id, fence, detail = unpack(ARGV, base + i * 3 - 2, base + i * 3)
    local held = holds(id, fence)
    marks[i] = held and '1' or '0'
    if held then
      local memo, note = memoOf(id), cjson.decode(detail)
      if note.value then memo.progress = note.value end
      for _, log in ipairs(note.logs or {}) do table.insert(memo.logs, log) end
      while #memo.logs > 100 do table.remove(memo.logs, 1) end
      storeMemo(id, memo)
    end
  end
  return table.concat(marks)
end
`;
