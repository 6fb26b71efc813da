import { setImmediate as nextTurn } from 'node:timers/promises';
import { runTool } from './mounts.ts';

/** An overlay to mount. */
export interface MountRequest {
  /** Value of `-o`. */
  readonly options: string;
  /** Mount point. */
  readonly target: string;
}

/** How a mount ended. */
export interface MountAnswer {
  readonly ok: boolean;
  readonly words: string;
}

/**
 * Mounts per process. Starting a process from Node costs more than the mount itself (18 ms against 2 ms under load), so
 * mounts that are wanted at once share a shell. Few enough that one which is killed with its manager ends soon.
 */
const BATCH = 16;

/** Positional arguments only: no value becomes part of the program. */
const script = `while [ "$#" -gt 0 ]; do
  if words=$(mount -t overlay -o "$1" -- millrace "$2" 2>&1); then echo ok; else echo "no" $words; fi
  shift 2
done`;

interface Waiting {
  readonly request: MountRequest;
  readonly resolve: (answer: MountAnswer) => void;
}

const waiting: Waiting[] = [];
let draining = false;

async function mountBatch(batch: readonly MountRequest[]): Promise<readonly MountAnswer[]> {
  const [first] = batch;
  if (batch.length === 1 && first !== undefined) {
    return [await runTool('mount', ['-t', 'overlay', '-o', first.options, '--', 'millrace', first.target])];
  }
  const values = batch.flatMap(({ options, target }) => [options, target]);
  const { output, words } = await runTool('sh', ['-c', script, 'mount-batch', ...values]);
  const lines = output.split('\n');
  return batch.map((_, at) => {
    const line = lines[at] ?? '';
    return { ok: line === 'ok', words: line === '' ? words || 'the mount gave no answer' : line.slice(3) };
  });
}

async function drain(): Promise<void> {
  draining = true;
  // Callers of this turn come together.
  await nextTurn();
  while (waiting.length > 0) {
    const batch = waiting.splice(0, BATCH);
    const answers = await mountBatch(batch.map(({ request }) => request));
    for (const [at, { resolve }] of batch.entries()) resolve(answers[at] as MountAnswer);
  }
  draining = false;
}

/** Mounts an overlay, together with others that are wanted now. Never rejects: the answer says what went wrong. */
export function requestMount(request: MountRequest): Promise<MountAnswer> {
  return new Promise((resolve) => {
    waiting.push({ request, resolve });
    if (!draining) void drain();
  });
}
