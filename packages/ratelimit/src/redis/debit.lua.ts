import { cellIndex } from '../gcra.ts';
import { type RateTable, usualWaitMs } from '../store.ts';
import { serverTime } from './client.ts';

/*
 * The decision of gcra.ts for tables with one priority class, which most are, written out for one table: its numbers are constants of the
 * script, so nothing of it travels with a call or is parsed. Same state as the scripts of rates.lua.ts.
 *
 * ARGV: per run of equal requests {n, longest wait, cost per limit}; n < 0 is one request for up to -n copies. No words are one usual request:
 * one of each limit, with the default of a limiter's longest wait.
 * Reply: now alone when all of it goes now, which it mostly does. Else now, pause, then per run: how many go now, how many later,
 * {wait, limit} of each of those, and once more for the rest, which is refused.
 */
export function debitScriptFor(table: RateTable): string {
  const limits = table.limits.map((spec, i) => limitOf(table, i, spec.scope, spec.interval, spec.burst));
  const scopes = table.scopes.map((_, s) => scopeOf(s, limits));
  const each = (line: (limit: LuaLimit) => string): string => limits.map(line).join('\n');
  return `${serverTime}
local ceil, floor, A, K, call = math.ceil, math.floor, ARGV, KEYS, redis.call
${scopes.map(readScope).join('\n')}
local factor = slowed
if factor < 1 then factor = math.min(1, factor + math.max(0, now - slowedAt) / 1000000 * ${lua(table.recovery)}) end
${each(({ i, interval, burst }) => `local i${i}, u${i} = ${lua(interval)}, ${lua(Math.ceil(burst * interval))}`)}
if factor < 1 then
${each(({ i, burst }) => `i${i} = i${i} / factor u${i} = ceil(${lua(burst)} * i${i})`)}
end
local from = paused > now and paused or now
local out, o, booked, whole = {now, from - now, 0, 0}, 2, false, true
if #A == 0 then
  if factor >= 1 and from <= now ${limits.map(({ i, interval }) => `and u${i} - (t${i} > now and t${i} - now or 0) >= ${lua(Math.ceil(interval))}`).join(' ')} then
    booked = true
    ${each(({ i, interval }) => `if t${i} < now then t${i}, b${i} = now, now end t${i} = t${i} + ${lua(Math.ceil(interval))}`)}
  else A = {1, ${lua(usualWaitMs * 1000)}${', 1'.repeat(limits.length)}} end
end
for r = 1, #A, ${limits.length + 2} do
  local n, wait = A[r] + 0, A[r + 1] + 0
  ${each(({ i }) => `local c${i} = A[r + ${i + 1}] + 0 local d${i} = ceil(c${i} * i${i})`)}
  local wanted, k = n < 0 and -n or n, 0
  if from <= now then
    k = wanted
    ${each(({ i }) => `if c${i} > 0 then local fit = floor((u${i} - (t${i} > now and t${i} - now or 0)) / d${i}) if fit < k then k = fit end end`)}
    if k > 0 then
      booked = true
      ${each(({ i }) => `if c${i} > 0 then if t${i} < now then t${i}, b${i} = now, now end t${i} = t${i} + ceil(c${i} * k * i${i}) end`)}
    else k = 0 end
  end
  if k < wanted then whole = false end
  local later = n < 0 and (k > 0 and 0 or 1) or n - k
  local granted = o + 2
  out[o + 1], out[granted] = k, 0
  o = granted
  for _ = 1, later do
    local at, by = from, from > now and -2 or -1
    ${each(({ i }) => `if c${i} > 0 then local t, over = t${i}, d${i} - u${i} if over > 0 and t < from then t = from end if t + over > at then at, by = t + over, ${i - 1} end end`)}
    out[o + 1], out[o + 2] = at - now, by
    o = o + 2
    if at - now > wait then break end
    out[granted], booked = out[granted] + 1, true
    ${each(({ i }) => `if c${i} > 0 then if t${i} < at then t${i}, b${i} = at, at end t${i} = t${i} + d${i} end`)}
  end
end
if booked then
  local last
${scopes.map(saveScope).join('\n')}
end
return whole and now or out
`;
}

interface LuaLimit {
  /** From 1: the limit's variables are `t1`, `b1` … */
  readonly i: number;
  readonly scope: number;
  readonly interval: number;
  readonly burst: number;
  /** Place of its state in its scope. */
  readonly cell: number;
}

interface LuaScope {
  /** From 1: the scope's variables are `s1`, `x1` … */
  readonly s: number;
  /** Names of the doubles that its state holds, in their order. */
  readonly names: readonly string[];
  readonly limits: readonly LuaLimit[];
}

function limitOf(table: RateTable, index: number, scope: number, interval: number, burst: number): LuaLimit {
  return { i: index + 1, scope, interval, burst, cell: cellIndex(table, index, 0) };
}

function scopeOf(index: number, all: readonly LuaLimit[]): LuaScope {
  const limits = all.filter(({ scope }) => scope === index).sort((a, b) => a.cell - b.cell);
  const cells = limits.flatMap(({ i }) => [`t${i}`, `b${i}`]);
  return { s: index + 1, names: index === 0 ? ['paused', 'slowed', 'slowedAt', ...cells] : cells, limits };
}

/** What another table has put behind our limits (`x1` …) stays as it is. */
function readScope({ s, names }: LuaScope): string {
  if (names.length === 0) return '';
  const size = names.length * 8;
  return `local s${s}, x${s}, ${names.join(', ')} = call('GET', K[${s}]), ''
if s${s} then
  if #s${s} < ${size} then s${s} = s${s} .. string.rep('\\0', ${size} - #s${s}) elseif #s${s} > ${size} then x${s} = string.sub(s${s}, ${size + 1}) end
  ${names.join(', ')} = struct.unpack('${formatOf(names)}', s${s})
else ${names.join(', ')} = ${names.map((name) => (name === 'slowed' ? 1 : 0)).join(', ')} end`;
}

/** A scope's state may be forgotten when all that is booked has drained; the account's also tells the adaptive factor, for a day. */
function saveScope({ s, names, limits }: LuaScope): string {
  if (limits.length === 0) return '';
  return `  last = ${s === 1 ? 'from' : 'now'}
  ${limits.map(({ i }) => `if t${i} > last then last = t${i} end`).join(' ')}
  last = ceil((last - now) / 1000) + 1000
  ${s === 1 ? 'if slowed < 1 and last < 86400000 then last = 86400000 end' : ''}
  call('SET', K[${s}], struct.pack('${formatOf(names)}', ${names.join(', ')}) .. x${s}, 'PX', last)`;
}

function formatOf(names: readonly string[]): string {
  return `<${'d'.repeat(names.length)}`;
}

/** A number that Lua reads as the same double. */
function lua(value: number): string {
  return String(value);
}
