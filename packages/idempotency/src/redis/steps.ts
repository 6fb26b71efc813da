import { createHash } from 'node:crypto';
import type { RedisClient } from './client.ts';
import { script } from './script.ts';

/** The steps of the script: begin, extend, checkpoint (k), complete, release (l), settle a parked one, park what is dead (w). */
export type StepName = 'b' | 'e' | 'k' | 'c' | 'l' | 's' | 'w';

/** Arguments of a step; what the script does not read is empty. */
export type StepArguments = readonly [string | number, string | number, string | number];

/** Takes one step on one record and resolves to the script's answer. */
export type TakeStep = (key: string, name: StepName, args: StepArguments) => Promise<unknown>;

/** Bounds of what goes to the server as one call, since it serves nobody else meanwhile: steps, and characters of their arguments. */
const maxSteps = 32;
const maxCharacters = 256 * 1024;

const sha = createHash('sha1').update(script).digest('hex');

interface Waiting {
  readonly key: string;
  readonly args: readonly (string | number)[];
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/**
 * Sends the steps that one turn of the event loop asks for as one call, which spares most of the time of both sides when many ask at
 * once, and costs nobody a wait. In a cluster, where keys lie on several nodes, each step is a call of its own.
 */
export function stepsTogether(connect: () => Promise<RedisClient>): TakeStep {
  let waiting: Waiting[] = [];
  const flush = (connected: Promise<RedisClient>): void => {
    const steps = waiting;
    waiting = [];
    connected.then(
      (client) => {
        for (const call of client.nodes ? steps.map((step) => [step]) : calls(steps)) void send(client, call);
      },
      (error: unknown) => {
        for (const { reject } of steps) reject(error);
      },
    );
  };
  return (key, name, args) =>
    new Promise((resolve, reject) => {
      // After the promise callbacks of this turn, which is when everybody whose answers came together has asked again.
      if (waiting.length === 0) process.nextTick(flush, connect());
      waiting.push({ key, args: [name, ...args], resolve, reject });
    });
}

function* calls(steps: readonly Waiting[]): Generator<readonly Waiting[]> {
  let call: Waiting[] = [];
  let characters = 0;
  for (const step of steps) {
    const size = step.args.reduce<number>((sum, arg) => sum + String(arg).length, 0);
    if (call.length >= maxSteps || (call.length > 0 && characters + size > maxCharacters)) {
      yield call;
      call = [];
      characters = 0;
    }
    call.push(step);
    characters += size;
  }
  yield call;
}

async function send(client: RedisClient, call: readonly Waiting[]): Promise<void> {
  const keys = call.map(({ key }) => key);
  const args = call.flatMap((step) => step.args);
  try {
    const answers = (await evaluate(client, keys, args)) as readonly unknown[];
    for (const [index, { resolve, reject }] of call.entries()) {
      const answer = answers[index];
      if (answer instanceof Error) reject(answer);
      else resolve(answer);
    }
  } catch (error) {
    for (const { reject } of call) reject(error);
  }
}

/** Calls by hash, and sends the text only to a server that does not know it (new, restarted, another node of the cluster). */
async function evaluate(
  client: RedisClient,
  keys: readonly string[],
  args: readonly (string | number)[],
): Promise<unknown> {
  try {
    return await client.evalsha(sha, keys.length, ...keys, ...args);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    return client.eval(script, keys.length, ...keys, ...args);
  }
}
