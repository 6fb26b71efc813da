/**
 * The machine as one Redis script (see `machine.ts`, which says the same in TypeScript). It takes any number of steps, one per key: a
 * process sends those of one turn of its event loop together, and only one where keys lie on several nodes. A step that fails fails alone.
 * Time is the server's, read once.
 *
 * KEYS: the record of each step. ARGV: for each step its letter and three arguments.
 *
 * A record is one string (one read and one write per step; a hash costs twice the server's time):
 *
 * ```
 * state fence lease-until expires updated created attempt phases-length on-expired fingerprint owner\n phases result
 * ```
 *
 * Fence and times have a fixed width, so that a step checks its fence and writes the new times without taking the text apart; phases are
 * members of a JSON object in ASCII. Redis deletes a record at its time; one that is parked, or must be when it dies, has none.
 */
export const script: string = `
local call, sub = redis.call, string.sub
local clock = call('TIME')
local micros = clock[1] * 1000000 + clock[2]
local now = math.floor(micros / 1000)
local function later(ms) return math.min(now + math.ceil(ms), 999999999999999) end
local function digits(time) return string.format('%015.0f', time) end
local nowText, fenceText = digits(now), string.format('%016.0f', micros)

local function endOf(ms)
  local time = later(ms)
  return {number = string.format('%.0f', time), text = digits(time)}
end

-- Most steps of a call have the same lease and ttl: what follows from those two is made once.
local begin, ending = {}, {}
local function begun(lease, ttl)
  if begin.lease ~= lease or begin.ttl ~= ttl then
    local expires = endOf(lease + ttl)
    local times = ' ' .. endOf(lease).text .. ' ' .. expires.text .. ' ' .. nowText .. ' '
    local head = 'r ' .. fenceText .. times .. nowText .. ' 1 0 '
    begin = {lease = lease, ttl = ttl, expires = expires.number, times = times, head = head}
  end
  return begin
end
local function ended(ttl)
  if ending.ttl ~= ttl then
    local expires = endOf(ttl)
    ending = {ttl = ttl, expires = expires.number, times = ' ' .. nowText .. ' ' .. expires.text .. ' ' .. nowText}
  end
  return ending
end

-- Without a time, the record stays until somebody decides.
local function write(key, text, expires)
  if expires then call('SET', key, text, 'PXAT', expires) else call('SET', key, text) end
end

local function parse(raw)
  local record = {raw = raw}
  record.state, record.fence, record.lease, record.expires, record.created, record.attempt, record.size, record.policy,
    record.fingerprint, record.owner, record.at =
    string.match(raw, '^(%a) (%d+) (%d+) (%d+) %d+ (%d+) (%d+) (%d+) (%a) (%S+) (%S+)\\n()')
  return record
end

local function phases(record) return sub(record.raw, record.at, record.at + record.size - 1) end

local function held(key, fence)
  local raw = call('GET', key)
  if raw and sub(raw, 1, 18) == 'r ' .. fence then return raw end
end

local function park(key, raw)
  local text = 'p' .. sub(raw, 2, 51) .. nowText .. sub(raw, 67)
  write(key, text)
  return text
end

local function dead(raw) return sub(raw, 1, 1) == 'r' and tonumber(sub(raw, 20, 34)) <= now end
local function parks(raw) return string.match(raw, '^%a %d+ %d+ %d+ %d+ %d+ %d+ %d+ (%a)') == 'p' end

local steps = {}

-- Policy, fingerprint and owner as the record has them; lease; ttl. Answers the fence of a new record, or status, time and record.
function steps.b(key, named, lease, ttl)
  local new = begun(lease, ttl)
  local stays = sub(named, 1, 1) == 'p'
  local created
  if stays then created = call('SET', key, new.head .. named, 'NX')
  else created = call('SET', key, new.head .. named, 'NX', 'PXAT', new.expires) end
  if created then return micros end

  local raw = call('GET', key)
  local record = parse(raw)
  if record.fingerprint ~= string.match(named, '^%a (%S+)') then return {'mismatch', now, raw} end
  local died = dead(raw)
  if died and record.policy == 'p' then return {'existing', now, park(key, raw)} end
  if not died and record.state ~= 'y' then return {'existing', now, raw} end
  local fence = string.format('%016.0f', math.max(micros, record.fence + 1))
  local rest = record.created .. ' ' .. string.format('%d', record.attempt + 1) .. ' ' .. record.size .. ' ' .. named
  local text = 'r ' .. fence .. new.times .. rest .. phases(record)
  write(key, text, not stays and new.expires)
  return {died and 'takeover' or 'again', now, text}
end

-- Fence; lease; ttl.
function steps.e(key, fence, lease, ttl)
  local raw = held(key, fence)
  if not raw then return 0 end
  local expires = endOf(lease + ttl)
  local text = sub(raw, 1, 19) .. endOf(lease).text .. ' ' .. expires.text .. sub(raw, 51)
  write(key, text, not parks(raw) and expires.number)
  return 1
end

-- Fence; the phase as a member of a JSON object.
function steps.k(key, fence, member)
  local raw = held(key, fence)
  if not raw then return 0 end
  local record = parse(raw)
  local body = phases(record)
  body = body .. (body == '' and '' or ',') .. member
  local head = sub(raw, 1, 67) .. record.created .. ' ' .. record.attempt .. ' ' .. #body .. ' ' .. record.policy
  call('SET', key, head .. ' ' .. record.fingerprint .. ' ' .. record.owner .. '\\n' .. body, 'KEEPTTL')
  return 1
end

-- Fence; result; ttl.
function steps.c(key, fence, result, ttl)
  local raw = held(key, fence)
  if not raw then return 0 end
  local as = ended(ttl)
  write(key, 'd ' .. fence .. as.times .. sub(raw, 67) .. result, as.expires)
  return 1
end

-- Fence; letter of the state; ttl.
function steps.l(key, fence, state, ttl)
  local raw = held(key, fence)
  if not raw then return 0 end
  local as = ended(ttl)
  write(key, state .. ' ' .. fence .. as.times .. sub(raw, 67), state ~= 'p' and as.expires)
  return 1
end

-- Fence; letter of the state and the result; ttl.
function steps.s(key, fence, decision, ttl)
  local raw = call('GET', key)
  if not raw or sub(raw, 1, 18) ~= 'p ' .. fence then return 0 end
  local expires = endOf(ttl)
  local head = sub(decision, 1, 1) .. sub(raw, 2, 35) .. expires.text .. ' ' .. nowText
  write(key, head .. sub(raw, 67) .. sub(decision, 2), expires.number)
  return 1
end

-- Parks one dead execution whose operation parks.
function steps.w(key)
  local raw = call('GET', key)
  if not raw or not dead(raw) or not parks(raw) then return 0 end
  park(key, raw)
  return 1
end

local answers = {}
for i, key in ipairs(KEYS) do
  local at = i * 4 - 3
  local done, answer = pcall(steps[ARGV[at]], key, ARGV[at + 1], ARGV[at + 2], ARGV[at + 3])
  if not done then answer = {err = type(answer) == 'table' and answer.err or tostring(answer)} end
  answers[i] = answer
end
return answers
`;
