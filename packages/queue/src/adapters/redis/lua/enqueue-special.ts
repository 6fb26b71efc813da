import { lua } from './lua.ts';

/** Stores a job with a delay, a dedupe key or children. */
export const enqueueSpecial: string = lua`
-- New payload for a waiting job, its place stays.
local function replacePayload(job, rest, bytes)
  local sign = stateOf(job) == 'ready' and 'ready' or 'delayed'
  count(job, sign, -1)
  job.bytes = bytes
  job.payload = parseJob(job.id, string.rep('-', 9) .. rest).payload
  count(job, sign, 1)
  storeJob(job)
end

local function keepLast(holder, rest, bytes)
  local id = holder.next or holder.id
  local job = loadJob(id)
  if not job or (not holder.next and stateOf(job) == 'leased') then return nil end
  replacePayload(job, rest, bytes)
  return { id, 1 }
end

local function debounce(holder, special, rest, bytes)
  local job = loadJob(holder.id)
  local state = job and stateOf(job)
  if state ~= 'delayed' and state ~= 'ready' then return nil end
  replacePayload(job, rest, bytes)
  local wanted = now + special.ttl
  if state == 'delayed' then reschedule(job, math.min(wanted, holder.latest or wanted)) end
  return { holder.id, 1 }
end

-- Answers nothing when the job is to be stored all the same.
local function answerDuplicate(holder, special, rest, bytes)
  if special.mode == 'keep-last' then return keepLast(holder, rest, bytes) end
  if special.mode == 'debounce' then return debounce(holder, special, rest, bytes) end
  return { holder.id, 0 }
end

local function holdKey(holder, special, id)
  if special.mode == 'keep-last' and holder and not holder.ends then
    holder.next = id
    storeHolder(special.key, holder)
    return
  end
  local ends = special.mode == 'window' and now + (special.ttl or 0) or nil
  storeHolder(special.key, { id = id, ends = ends, latest = special.maxWait and now + special.maxWait })
  if ends then
    dueAt(ends)
    call('ZADD', P .. 'du', ends, special.key)
  end
end

-- One with a delay, a dedupe key or children.
local function enqueueSpecial(id, name, bytes, special, rest)
  local tenant = tenantOf(name)
  local holder = special.key and holderOf(special.key)
  if holder and (not holder.ends or holder.ends > now) then
    local duplicate = answerDuplicate(holder, special, rest, bytes)
    if duplicate then return duplicate end
  end
  local refused = not atomic and reject(tenant, 1, bytes)
  if refused then return refused end
  local followUp = special.mode == 'keep-last' and holder and not holder.ends
  local waits = followUp or (special.children or 0) > 0
  local delay = special.mode == 'debounce' and (special.ttl or 0) or special.delay or 0
  makeWaiting(parseJob(id, bodyOf(rest)), not waits and now + delay or nil)
  if special.key then holdKey(holder, special, id) end
  return 1
end
`;
