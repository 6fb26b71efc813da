import { cellIndex } from '../gcra.ts';
import type { Adjustment, DebitDecision, DebitRequest, Pause, RateState, RateStore, RateTable } from '../store.ts';
import { type Keys, type RedisClient, run, script } from './client.ts';
import { adjustScript, correctScript, debitScript, pauseScript, readScript } from './rates.lua.ts';

const scripts = {
  debit: script(debitScript),
  adjust: script(adjustScript),
  correct: script(correctScript),
  pause: script(pauseScript),
  read: script(readScript),
};

interface Encoded {
  readonly keys: readonly string[];
  /** The table as the scripts read it: limits as [scope, interval, burst, position], shares, recovery. */
  readonly table: string;
}

/** Infinity has no JSON; a wait of eleven days is as good. */
const longestWaitMs = 1e9;

/** Rates in Redis: every operation is one EVALSHA on keys of one slot, with the server's time. */
export class RedisRates implements RateStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #encoded = new WeakMap<RateTable, Encoded>();

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  async debit(table: RateTable, requests: readonly DebitRequest[]): Promise<DebitDecision[]> {
    const wishes = requests.map(({ cost, maxWait, share, copies }) => [
      Math.floor(Math.min(maxWait, longestWaitMs) * 1000),
      share + 1,
      copies,
      ...cost,
    ]);
    const reply = await this.#run('debit', table, JSON.stringify(wishes));
    const [now = 0, pausedFor = 0] = reply;
    return requests.map((_, i) => {
      const [granted = 0, wait = 0, limitedBy = -1, share = 1] = reply.slice(2 + i * 4, 6 + i * 4);
      return { granted, wait: wait / 1000, at: now + wait, limitedBy, share: share - 1, pausedFor: pausedFor / 1000 };
    });
  }

  async adjust(table: RateTable, adjustments: readonly Adjustment[]): Promise<void> {
    const changes = adjustments.map(({ delta, at, share }) => [at, share + 1, ...delta]);
    await this.#run('adjust', table, JSON.stringify(changes));
  }

  async correct(table: RateTable, remaining: readonly (number | undefined)[]): Promise<void> {
    await this.#run('correct', table, JSON.stringify(remaining.map((units) => units ?? null)));
  }

  async pause(table: RateTable, { forMs, decrease, floor, cooldownMs }: Pause): Promise<RateState> {
    const pause = [Math.ceil(forMs * 1000), decrease, floor, Math.ceil(cooldownMs * 1000)];
    return stateOf(table, await this.#run('pause', table, JSON.stringify(pause)));
  }

  async read(table: RateTable): Promise<RateState> {
    return stateOf(table, await this.#run('read', table, '[]'));
  }

  async #run(name: keyof typeof scripts, table: RateTable, argument: string): Promise<number[]> {
    const { keys, table: encoded } = this.#encode(table);
    return (await run(this.#client, scripts[name], keys, [encoded, argument])) as number[];
  }

  #encode(table: RateTable): Encoded {
    const known = this.#encoded.get(table);
    if (known !== undefined) return known;
    const limits = table.limits.map(({ scope, interval, burst }, i) => [
      scope + 1,
      interval,
      burst,
      cellIndex(table, i, 0),
    ]);
    const encoded = {
      keys: table.scopes.map((scope) => this.#keys.name('rate', table.account, encodeURIComponent(scope))),
      table: JSON.stringify([limits, table.shares, table.recovery]),
    };
    this.#encoded.set(table, encoded);
    return encoded;
  }
}

/** Reply: pausedFor in microseconds, factor in millionths, remaining per limit. */
function stateOf(table: RateTable, [pausedFor = 0, factor = 0, ...remaining]: number[]): RateState {
  return {
    remaining: table.limits.map((_, i) => remaining[i] ?? 0),
    pausedFor: pausedFor / 1000,
    factor: factor / 1e6,
  };
}
