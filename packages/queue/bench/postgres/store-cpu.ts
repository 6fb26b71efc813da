import { readdirSync, readFileSync } from 'node:fs';

/** Microseconds of a tick of /proc: 100 ticks a second, on every Linux. */
const tick = 10_000;

interface Stat {
  readonly parent: number;
  readonly own: number;
  readonly ofEnded: number;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name may have spaces; what follows it does not.
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [user = 0, system = 0, userOfEnded = 0, systemOfEnded = 0] = fields.slice(11, 15);
    return { parent: fields[1] ?? 0, own: user + system, ofEnded: userOfEnded + systemOfEnded };
  } catch {
    return undefined;
  }
}

/** CPU microseconds of a PostgreSQL server: its postmaster, the processes it has, and those that have ended. Linux only. */
export function storeCpu(postmaster: number): number {
  const root = statOf(postmaster);
  let ticks = (root?.own ?? 0) + (root?.ofEnded ?? 0);
  for (const entry of readdirSync('/proc')) {
    const stat = /^\d+$/.test(entry) ? statOf(Number(entry)) : undefined;
    if (stat?.parent === postmaster) ticks += stat.own;
  }
  return ticks * tick;
}
