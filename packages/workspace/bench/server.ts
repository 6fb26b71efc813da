import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

/** Repositories that the server has from the start. */
export const repoNames = ['got', 'fastify', 'vite'] as const;

/** What is asked of the server's process: to serve one more repository, or nothing but its record. */
export interface Question {
  readonly name?: string;
  readonly from?: string;
}

/** Its answer. */
export interface Answer {
  readonly url: string | undefined;
  readonly requests: readonly { readonly method: string; readonly path: string }[];
}

/** A git server behind a link of 20 ms, in a process of its own. */
export interface BenchServer extends AsyncDisposable {
  /** Folder of the served repositories. */
  readonly root: string;
  /** Addresses of {@link repoNames}. */
  readonly urls: readonly string[];
  /** What it has been asked so far. */
  requests(): Promise<Answer['requests']>;
  /** Serves a copy of one more repository; gives its address. */
  serve(name: string, from: string): Promise<string>;
}

export async function startBenchServer(): Promise<BenchServer> {
  const child = fork(join(import.meta.dirname, 'server-child.ts'), {
    execArgv: ['--conditions=@millrace/source', '--import', 'tsx'],
  });
  const next = async (): Promise<unknown> => (await once(child, 'message'))[0];
  const { urls, root } = (await next()) as Pick<BenchServer, 'urls' | 'root'>;
  const ask = async (question: Question): Promise<Answer> => {
    const answer = next();
    child.send(question);
    return (await answer) as Answer;
  };
  return {
    root,
    urls,
    requests: async () => (await ask({})).requests,
    serve: async (name, from) => (await ask({ name, from })).url as string,
    [Symbol.asyncDispose]: async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
