import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of a bench, running a TypeScript file beside it. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;

  constructor(file: string, args: readonly string[]) {
    const execArgv = ['--import', 'tsx'];
    this.#process = fork(fileURLToPath(new URL(file, import.meta.url)), [...args], { execArgv });
  }

  /** The next message that it sends. */
  async message<T>(): Promise<T> {
    const [message] = (await once(this.#process, 'message')) as [T];
    return message;
  }

  /** Sends a message and waits for the answer. */
  ask<T>(message: string): Promise<T> {
    const answer = this.message<T>();
    this.#process.send(message);
    return answer;
  }

  tell(message: string): void {
    this.#process.send(message);
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await gone;
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
