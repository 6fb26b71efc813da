import { cellIndex } from '../gcra.ts';
import type { Adjustment, DebitDecision, DebitRequest, Pause, RateState, RateStore, RateTable } from '../store.ts';
import { type Keys, type RedisClient, run, type Script, script } from './client.ts';
import { debitScriptFor } from './debit.lua.ts';
import { decisionsOf, runsOf } from './debit-runs.ts';
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
  /** The script that was written for this table, if there is one. */
  readonly debit: Script | undefined;
}

/** Infinity has no JSON; a wait of eleven days is as good. */
const longestWaitMs = 1e9;

/** Scripts written for tables, per store: the server keeps every script that it has seen. Further tables use the general one. */
const maxScripts = 64;

/** A function in Lua has at most 200 local variables; a limit takes six. */
const maxWrittenLimits = 16;

/** Rates in Redis: every operation is one EVALSHA on keys of one slot, with the server's time. */
export class RedisRates implements RateStore {
  readonly #client: RedisClient;
  readonly #keys: Keys;
  readonly #encoded = new WeakMap<RateTable, Encoded>();
  readonly #written = new Map<string, Script>();

  constructor(client: RedisClient, keys: Keys) {
    this.#client = client;
    this.#keys = keys;
  }

  debit(table: RateTable, requests: readonly DebitRequest[]): Promise<DebitDecision[]> {
    const { keys, debit } = this.#encode(table);
    if (debit === undefined) return this.#debitByClass(table, requests);
    const { args, runs } = runsOf(requests, micros);
    return run(this.#client, debit, keys, args, (reply) => decisionsOf(reply as number | number[], runs));
  }

  async #debitByClass(table: RateTable, requests: readonly DebitRequest[]): Promise<DebitDecision[]> {
    const wishes = requests.map(({ cost, maxWait, share, copies }) => [micros(maxWait), share + 1, copies, ...cost]);
    const reply = await this.#run('debit', table, JSON.stringify(wishes));
    const [now = 0, pausedFor = 0] = reply;
    return requests.map((_, i): DebitDecision => {
      const from = 2 + i * 4;
      const wait = reply[from + 1] ?? 0;
      return {
        granted: reply[from] ?? 0,
        wait: wait / 1000,
        at: now + wait,
        limitedBy: reply[from + 2] ?? -1,
        share: (reply[from + 3] ?? 1) - 1,
        pausedFor: pausedFor / 1000,
      };
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
      debit: table.shares.length === 1 && table.limits.length <= maxWrittenLimits ? this.#write(table) : undefined,
    };
    this.#encoded.set(table, encoded);
    return encoded;
  }

  #write(table: RateTable): Script | undefined {
    const source = debitScriptFor(table);
    const known = this.#written.get(source);
    if (known !== undefined || this.#written.size >= maxScripts) return known;
    const written = script(source);
    this.#written.set(source, written);
    return written;
  }
}

function micros(milliseconds: number): number {
  return Math.floor(Math.min(milliseconds, longestWaitMs) * 1000);
}

/** Reply: pausedFor in microseconds, factor in millionths, remaining per limit. */
function stateOf(table: RateTable, [pausedFor = 0, factor = 0, ...remaining]: number[]): RateState {
  return {
    remaining: table.limits.map((_, i) => remaining[i] ?? 0),
    pausedFor: pausedFor / 1000,
    factor: factor / 1e6,
  };
}
