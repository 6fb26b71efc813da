import { serverTime } from './client.ts';

/*
 * The arithmetic of gcra.ts in Lua. State per scope: `tat, rebase` per limit and class as doubles, in microseconds;
 * the account's own key starts with `pausedUntil, factor, factorSetAt`. KEYS: the account, then its other scopes.
 * ARGV[1]: limits as {scope, interval, burst, first cell}, shares, recovery. ARGV[2]: the operation's own argument.
 */
const prelude = `${serverTime}
local ceil, floor, max, min = math.ceil, math.floor, math.max, math.min
local spec = cjson.decode(ARGV[1])
local arg = cjson.decode(ARGV[2])
local limits, shares, recovery = spec[1], spec[2], spec[3]
local nl, ns = #limits, #shares
local function doubles(n) return '<' .. string.rep('d', n) end
local state = {}
for s = 1, #KEYS do
  local raw = redis.call('GET', KEYS[s])
  if raw then
    state[s] = {struct.unpack(doubles(#raw / 8), raw)}
    table.remove(state[s]) -- where it stopped reading
  else state[s] = s == 1 and {0, 1, 0} or {} end
end
local account = state[1]
local factor = account[2]
if factor < 1 then factor = min(1, factor + max(0, now - account[3]) / 1000000 * recovery) end
local interval, tau, cells, pos = {}, {}, {}, {}
for c = 1, ns do
  for i = 1, nl do
    local k, limit = (c - 1) * nl + i, limits[i]
    interval[k] = limit[2] / shares[c] / factor
    tau[k] = ceil(limit[3] * shares[c] * interval[k])
    cells[k] = state[limit[1]]
    pos[k] = (limit[1] == 1 and 4 or 1) + (limit[4] + c - 1) * 2
    for p = #cells[k] + 1, pos[k] + 1 do cells[k][p] = 0 end
  end
end
local function save()
  for s = 1, #KEYS do
    local list, last = state[s], s == 1 and state[1][1] or 0
    for p = s == 1 and 4 or 1, #list, 2 do last = max(last, list[p]) end
    local keep = ceil(max(0, last - now) / 1000) + 1000
    if s == 1 and list[2] < 1 then keep = max(keep, 86400000) end
    redis.call('SET', KEYS[s], struct.pack(doubles(#list), unpack(list)), 'PX', string.format('%.0f', keep))
  end
end
`;

export const debitScript: string = `${prelude}
local from = max(now, account[1])
local function slot(c, wish)
  local at, by = from, from > now and -2 or -1
  for i = 1, nl do
    local units = wish[3 + i]
    if units > 0 then
      local k = (c - 1) * nl + i
      local tat, over = cells[k][pos[k]], ceil(units * interval[k]) - tau[k]
      if over > 0 and tat < from then tat = from end
      if tat + over > at then at, by = tat + over, i - 1 end
    end
  end
  return at, by
end
local function copies(c, wish)
  local n = wish[3]
  for i = 1, nl do
    local units, k = wish[3 + i], (c - 1) * nl + i
    if units > 0 then
      local debt = max(0, cells[k][pos[k]] - now)
      n = min(n, floor((tau[k] - debt) / ceil(units * interval[k])))
    end
  end
  return max(1, n)
end
local function book(c, wish, at, n)
  for i = 1, nl do
    local units, k = wish[3 + i], (c - 1) * nl + i
    if units > 0 then
      local list, p = cells[k], pos[k]
      if list[p] < at then list[p], list[p + 1] = at, at end
      list[p] = list[p] + ceil(units * n * interval[k])
    end
  end
end
local out, booked = {now, max(0, account[1] - now)}, false
for r = 1, #arg do
  local wish = arg[r]
  local c = wish[2]
  local at, by = slot(c, wish)
  if at > now and ns > 1 then
    for other = 1, ns do
      if at > now and slot(other, wish) <= now then c, at = other, now end
    end
  end
  local n = 0
  if at - now <= wish[1] then
    n = (at > now or wish[3] <= 1) and 1 or copies(c, wish)
    book(c, wish, at, n)
    booked = true
  end
  local o = 2 + (r - 1) * 4
  out[o + 1], out[o + 2], out[o + 3], out[o + 4] = n, at - now, (n > 0 and at <= now) and -1 or by, c
end
if booked then save() end
return out
`;

export const adjustScript: string = `${prelude}
for a = 1, #arg do
  local at, c = arg[a][1], arg[a][2]
  for i = 1, nl do
    local delta, k = arg[a][2 + i], (c - 1) * nl + i
    local list, p = cells[k], pos[k]
    if delta > 0 then list[p] = max(list[p], now) + ceil(delta * interval[k])
    elseif delta < 0 and at >= list[p + 1] then list[p] = max(list[p + 1], list[p] - ceil(-delta * interval[k])) end
  end
end
save()
return {}
`;

export const correctScript: string = `${prelude}
for c = 1, ns do
  for i = 1, nl do
    if arg[i] ~= cjson.null then
      local k = (c - 1) * nl + i
      local used = max(0, limits[i][3] * shares[c] - arg[i] * shares[c])
      cells[k][pos[k]] = max(cells[k][pos[k]], now + ceil(used * interval[k]))
    end
  end
end
save()
return {}
`;

const report = `
local out = {max(0, account[1] - now), floor(factor * 1000000 + 0.5)}
for i = 1, nl do
  local left = 0
  for c = 1, ns do
    local k = (c - 1) * nl + i
    left = left + floor(limits[i][3] * shares[c] - max(0, cells[k][pos[k]] - now) / interval[k])
  end
  out[2 + i] = left
end
return out
`;

export const pauseScript: string = `${prelude}
account[1] = max(account[1], now + arg[1])
if arg[2] < 1 and (account[2] >= 1 or now - account[3] >= arg[4]) then
  factor = max(arg[3], factor * arg[2])
  account[2], account[3] = factor, now
end
save()
${report}`;

export const readScript: string = `${prelude}${report}`;
