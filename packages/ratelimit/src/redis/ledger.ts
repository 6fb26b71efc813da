import type { HoldAnswer, LedgerScope, LedgerState, LedgerStore } from '../store.ts';
import { type Keys, type RedisClient, run, type Script, script, serverTime } from './client.ts';

/*
 * Per scope three KEYS: sums (hash: spent, held, h:<id> = amount), holds (zset, score = end of lease), settled ids (zset, score = when to forget).
 * ARGV: id, then the operation's number(s), then per scope what it needs. Every script first gives back holds that have run out.
 */
const prelude = `${serverTime}
local n = #KEYS / 3
local function whole(x) return string.format('%.0f', x) end
local function sum(s, field) return tonumber(redis.call('HGET', KEYS[s * 3 - 2], field) or '0') end
for s = 1, n do
  local sums, holds = KEYS[s * 3 - 2], KEYS[s * 3 - 1]
  for _, id in ipairs(redis.call('ZRANGEBYSCORE', holds, '-inf', nowMs)) do
    redis.call('HINCRBY', sums, 'held', whole(-sum(s, 'h:' .. id)))
    redis.call('HDEL', sums, 'h:' .. id)
    redis.call('ZREM', holds, id)
  end
end
local function states(out)
  for s = 1, n do
    out[#out + 1] = sum(s, 'spent')
    out[#out + 1] = sum(s, 'held')
  end
  return out
end
local function keep(s, ms)
  for k = s * 3 - 2, s * 3 do redis.call('PEXPIRE', KEYS[k], ms) end
end
`;

const scripts = {
  hold: script(`${prelude}
local id, amount, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
for s = 1, n do
  if sum(s, 'spent') + sum(s, 'held') + amount > tonumber(ARGV[2 + s * 2]) then return states({s - 1}) end
end
for s = 1, n do
  redis.call('HINCRBY', KEYS[s * 3 - 2], 'held', ARGV[2])
  redis.call('HSET', KEYS[s * 3 - 2], 'h:' .. id, ARGV[2])
  redis.call('ZADD', KEYS[s * 3 - 1], whole(nowMs + lease), id)
  keep(s, ARGV[3 + s * 2])
end
return states({-1})
`),
  extend: script(`${prelude}
local alive = 1
for s = 1, n do
  if redis.call('HEXISTS', KEYS[s * 3 - 2], 'h:' .. ARGV[1]) == 1 then
    redis.call('ZADD', KEYS[s * 3 - 1], whole(nowMs + tonumber(ARGV[2])), ARGV[1])
  else alive = 0 end
end
return alive
`),
  settle: script(`${prelude}
local id, actual = ARGV[1], ARGV[2]
for s = 1, n do
  local sums = KEYS[s * 3 - 2]
  local amount = redis.call('HGET', sums, 'h:' .. id)
  if amount then
    redis.call('HINCRBY', sums, 'held', '-' .. amount)
    redis.call('HDEL', sums, 'h:' .. id)
    redis.call('ZREM', KEYS[s * 3 - 1], id)
  end
  redis.call('ZREMRANGEBYSCORE', KEYS[s * 3], '-inf', nowMs)
  if redis.call('ZADD', KEYS[s * 3], 'NX', whole(nowMs + 86400000), id) == 1 then
    redis.call('HINCRBY', sums, 'spent', actual)
  end
  keep(s, ARGV[2 + s])
end
return states({})
`),
  read: script(`${prelude}return states({})`),
  now: script(`${serverTime}return nowMs`),
};

/** Budgets in Redis: one EVALSHA per step, all scopes of an account in one slot. */
export class RedisLedger implements LedgerStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async now(): Promise<number> {
    return (await run(this.#client, scripts.now, [this.#keys.name('ledger', 'clock')], [])) as number;
  }

  async hold(
    account: string,
    id: string,
    scopes: readonly LedgerScope[],
    amount: number,
    leaseMs: number,
  ): Promise<HoldAnswer> {
    const caps = scopes.flatMap(({ cap, keepMs }) => [cap, Math.ceil(keepMs)]);
    const [exceeded = 0, ...rest] = await this.#run(scripts.hold, account, scopes, [
      id,
      amount,
      Math.ceil(leaseMs),
      ...caps,
    ]);
    return { ok: exceeded === -1, exceeded, scopes: statesOf(rest) };
  }

  async extend(account: string, id: string, scopes: readonly LedgerScope[], leaseMs: number): Promise<boolean> {
    const alive = await run(this.#client, scripts.extend, this.#keysOf(account, scopes), [id, Math.ceil(leaseMs)]);
    return alive === 1;
  }

  async settle(account: string, id: string, scopes: readonly LedgerScope[], actual: number): Promise<LedgerState[]> {
    const keep = scopes.map(({ keepMs }) => Math.ceil(keepMs));
    return statesOf(await this.#run(scripts.settle, account, scopes, [id, actual, ...keep]));
  }

  async read(account: string, scopes: readonly LedgerScope[]): Promise<LedgerState[]> {
    return statesOf(await this.#run(scripts.read, account, scopes, []));
  }

  async #run(
    operation: Script,
    account: string,
    scopes: readonly LedgerScope[],
    args: readonly (string | number)[],
  ): Promise<number[]> {
    return (await run(this.#client, operation, this.#keysOf(account, scopes), args)) as number[];
  }

  #keysOf(account: string, scopes: readonly LedgerScope[]): string[] {
    return scopes.flatMap(({ key }) =>
      ['sums', 'holds', 'settled'].map((part) =>
        this.#keys.name('ledger', account, `${encodeURIComponent(key)}:${part}`),
      ),
    );
  }
}

function statesOf(flat: readonly number[]): LedgerState[] {
  const states: LedgerState[] = [];
  for (let i = 0; i < flat.length; i += 2) states.push({ spent: flat[i] ?? 0, held: flat[i + 1] ?? 0 });
  return states;
}
