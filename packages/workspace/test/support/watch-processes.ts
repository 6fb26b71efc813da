import { readFileSync } from 'node:fs';

/** What a watch saw. */
export interface Watched {
  /** Arguments and environments that were read. */
  readonly looks: number;
  /** Those that held the secret. */
  readonly found: readonly string[];
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process has ended, or is somebody else's.
    return '';
  }
}

/** Processes that this one started, and theirs. */
function descendants(pid: number | string = process.pid): string[] {
  const children = read(`/proc/${pid}/task/${pid}/children`)
    .split(' ')
    .filter((child) => child !== '');
  return children.flatMap((child) => [child, ...descendants(child)]);
}

/** Looks again and again for a secret in the arguments and the environment of everything that this process started. */
export function watchProcesses(secret: string): { readonly stop: () => Watched } {
  const found: string[] = [];
  let looks = 0;
  const look = (path: string): void => {
    const text = read(path);
    if (text.includes(secret)) found.push(path);
    if (text !== '') looks += 1;
  };
  const timer = setInterval(() => {
    for (const pid of descendants()) for (const file of ['cmdline', 'environ']) look(`/proc/${pid}/${file}`);
  }, 5);
  return {
    stop: () => {
      clearInterval(timer);
      return { looks, found };
    },
  };
}
