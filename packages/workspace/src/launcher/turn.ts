import { type Collected, createCollected, type ProcessResult } from '../process.ts';

/** How a turn ended. */
export interface TurnEnd {
  readonly status: number;
  readonly output: Pick<ProcessResult, 'stdout' | 'stderr' | 'truncated'>;
}

/** One program's time in a lane: it takes what the shell's pipes bring, until each of them has said that it is over. */
export interface Turn {
  stdout(chunk: Buffer): void;
  stderr(chunk: Buffer): void;
  /** The exit status, from the shell. */
  words(chunk: Buffer): void;
  /** The shell is gone: the turn ends with what has come. */
  cut(status: number): void;
  readonly over: Promise<TurnEnd>;
}

/** Drops what is said before the mark that begins a turn: late words of an earlier program. Then passes everything on. */
function from(mark: Buffer, pass: (chunk: Buffer) => void): (chunk: Buffer) => void {
  let early: Buffer | undefined = Buffer.alloc(0);
  return (chunk) => {
    if (early === undefined) return pass(chunk);
    early = Buffer.concat([early, chunk]);
    const begin = early.indexOf(mark);
    if (begin < 0) return;
    const rest = early.subarray(begin + mark.length);
    early = undefined;
    if (rest.length > 0) pass(rest);
  };
}

/**
 * Passes a stream on, up to the mark that ends it. The mark may come in pieces, and behind it what a process of the program
 * says that outlives it (the other side of a local fetch): nobody waits for that.
 */
function upTo(mark: Buffer, kept: Collected, onOver: () => void): (chunk: Buffer) => void {
  let held: Buffer = Buffer.alloc(0);
  let isOver = false;
  return (chunk) => {
    if (isOver) return;
    const all = Buffer.concat([held, chunk]);
    const end = all.indexOf(mark);
    isOver = end >= 0;
    const sure = isOver ? end : Math.max(0, all.length - mark.length);
    if (sure > 0) kept.add(all.subarray(0, sure));
    held = all.subarray(sure);
    if (isOver) onOver();
  };
}

export function createTurn(mark: string, maxOutput: number): Turn {
  const [out, err] = [createCollected(maxOutput), createCollected(maxOutput)];
  let resolve: (end: TurnEnd) => void = () => undefined;
  const over = new Promise<TurnEnd>((settle) => {
    resolve = settle;
  });
  let said = '';
  let missing = 3;
  const cut = (status: number): void => {
    const output = { stdout: out.bytes(), stderr: err.bytes(), truncated: out.truncated() || err.truncated() };
    resolve({ status, output });
  };
  const stepOver = (): void => {
    missing -= 1;
    if (missing === 0) cut(Number(said));
  };
  return {
    stdout: from(Buffer.from(mark), upTo(Buffer.from(mark), out, stepOver)),
    stderr: from(Buffer.from(mark), upTo(Buffer.from(mark), err, stepOver)),
    words: (chunk) => {
      said += chunk.toString('latin1');
      if (said.endsWith('\n')) stepOver();
    },
    cut,
    over,
  };
}
