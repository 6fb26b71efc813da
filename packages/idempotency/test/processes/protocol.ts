import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** Which store a child opens. */
export interface StoreAddress {
  readonly kind: 'sqlite' | 'redis' | 'postgres';
  /** File or URL. */
  readonly at: string;
}

/** What the parent asks of a child. */
export type Order =
  | { readonly do: 'storm'; readonly key: string; readonly calls: number }
  | {
      readonly do: 'execute';
      readonly key: string;
      readonly policy: 'takeover' | 'park';
      readonly lease: number;
      readonly pauseAt: Step;
    };

/** Where an execution stops and waits to be killed or stopped. */
export type Step = 'begun' | 'in phase' | 'after phase' | 'before complete' | 'completed';

/** Every {@link Step}. */
export const allSteps: readonly Step[] = ['begun', 'in phase', 'after phase', 'before complete', 'completed'];

/** What a child reports. */
export type Report =
  | { readonly is: 'ready' }
  | {
      readonly is: 'storm';
      readonly executed: number;
      readonly replayed: number;
      readonly refused: number;
      readonly errors: readonly string[];
    }
  | { readonly is: 'effect'; readonly name: string }
  | { readonly is: 'at'; readonly step: Step }
  | { readonly is: 'ended'; readonly outcome: string };

/** A process that opens a store and takes orders. */
export interface Child extends AsyncDisposable {
  readonly process: ChildProcess;
  send(order: Order): void;
  /** Reports so far. */
  readonly reports: Report[];
  /** The next report of a kind. */
  next<K extends Report['is']>(kind: K): Promise<Extract<Report, { is: K }>>;
}

/** Starts a child. */
export async function startChild(address: StoreAddress): Promise<Child> {
  const child = fork(fileURLToPath(new URL('./child.ts', import.meta.url)), [JSON.stringify(address)], {
    execArgv: ['--conditions=@millrace/source', '--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const exited = once(child, 'exit');
  const reports: Report[] = [];
  const taken = new Set<Report>();
  const waiting = new Set<() => void>();
  child.on('message', (report) => {
    reports.push(report as Report);
    for (const look of waiting) look();
  });
  const next: Child['next'] = (kind) =>
    new Promise((resolve, reject) => {
      const gone = (): void => reject(new Error(`the child ended before it reported "${kind}"`));
      const look = (): void => {
        const found = reports.find((report) => report.is === kind && !taken.has(report));
        if (!found) return;
        taken.add(found);
        waiting.delete(look);
        child.off('exit', gone);
        resolve(found as never);
      };
      waiting.add(look);
      child.once('exit', gone);
      look();
    });
  await next('ready');
  return {
    process: child,
    reports,
    next,
    send: (order) => void child.send(order),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}
