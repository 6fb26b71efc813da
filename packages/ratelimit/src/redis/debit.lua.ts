import { cellIndex } from '../gcra.ts';
import type { RateTable } from '../store.ts';
import { serverTime } from './client.ts';

/*
 * The decision of gcra.ts for tables with one priority class, which most are, written out for one table: its numbers are constants of the
 * script, so nothing of it travels with a call or is parsed. Same state as the scripts of rates.lua.ts.
 *
 * ARGV: per run of equal requests {n, longest wait, cost per limit}; n < 0 is one request for up to -n copies.
 * Reply: now, pause, then per run: how many go now, how many later, {wait, limit} of each of those, and once more for the rest, which is refused.
 */
export function debitScriptFor(table: RateTable): string {
  const limits = table.limits.map((spec, i) => limitOf(table, i, spec.scope, spec.interval, spec.burst));
  const scopes = table.scopes.map((_, s) => s + 1);
  const each = (line: (limit: LuaLimit) => string): string => limits.map(line).join('\n');
  return `${serverTime}
local ceil, floor, A, K, call = math.ceil, math.floor, ARGV, KEYS, redis.call
${scopes.map(readScope).join('\n')}
local paused, factor = s1[1], s1[2]
if factor < 1 then factor = math.min(1, factor + math.max(0, now - s1[3]) / 1000000 * ${lua(table.recovery)}) end
${each(({ i, interval, burst }) => `local i${i}, u${i} = ${lua(interval)}, ${lua(Math.ceil(burst * interval))}`)}
if factor < 1 then
${each(({ i, burst }) => `i${i} = i${i} / factor u${i} = ceil(${lua(burst)} * i${i})`)}
end
${each(({ i, cell, rebase }) => `local t${i}, b${i} = ${cell} or 0, ${rebase} or 0`)}
local from = paused > now and paused or now
local out, o, booked = {now, from - now}, 2, false
for r = 1, #A, ${limits.length + 2} do
  local n, wait = A[r] + 0, A[r + 1] + 0
  ${each(({ i }) => `local c${i} = A[r + ${i + 1}] + 0 local d${i} = ceil(c${i} * i${i})`)}
  local k = 0
  if from <= now then
    k = n < 0 and -n or n
    ${each(({ i }) => `if c${i} > 0 then local fit = floor((u${i} - (t${i} > now and t${i} - now or 0)) / d${i}) if fit < k then k = fit end end`)}
    if k > 0 then
      booked = true
      ${each(({ i }) => `if c${i} > 0 then if t${i} < now then t${i}, b${i} = now, now end t${i} = t${i} + ceil(c${i} * k * i${i}) end`)}
    else k = 0 end
  end
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
  ${each(({ i, cell, rebase }) => `${cell}, ${rebase} = t${i}, b${i}`)}
  local last
${scopes.map((s) => saveScope(s, limits)).join('\n')}
end
return out
`;
}

interface LuaLimit {
  /** From 1: the limit's variables are `t1`, `b1` … */
  readonly i: number;
  readonly scope: number;
  readonly interval: number;
  readonly burst: number;
  /** Where its state lies: `tat` and `rebase`. */
  readonly cell: string;
  readonly rebase: string;
}

function limitOf(table: RateTable, index: number, scope: number, interval: number, burst: number): LuaLimit {
  const position = (scope === 0 ? 4 : 1) + cellIndex(table, index, 0) * 2;
  const list = `s${scope + 1}`;
  return {
    i: index + 1,
    scope: scope + 1,
    interval,
    burst,
    cell: `${list}[${position}]`,
    rebase: `${list}[${position + 1}]`,
  };
}

function readScope(s: number): string {
  return `local s${s} = call('GET', K[${s}]) s${s} = s${s} and cmsgpack.unpack(s${s}) or {${s === 1 ? '0, 1, 0' : ''}}`;
}

/** A scope's state may be forgotten when all that is booked has drained; the account's also tells the adaptive factor, for a day. */
function saveScope(s: number, limits: readonly LuaLimit[]): string {
  const drained = limits.filter(({ scope }) => scope === s).map(({ i }) => `if t${i} > last then last = t${i} end`);
  return `  last = ${s === 1 ? 'from' : 'now'}
  ${drained.join(' ')}
  last = ceil((last - now) / 1000) + 1000
  ${s === 1 ? 'if s1[2] < 1 and last < 86400000 then last = 86400000 end' : ''}
  call('SET', K[${s}], cmsgpack.pack(s${s}), 'PX', last)`;
}

/** A number that Lua reads as the same double. */
function lua(value: number): string {
  return String(value);
}
