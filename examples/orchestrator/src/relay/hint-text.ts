import type { Hint } from './relay.ts';

const kinds: readonly unknown[] = [
  'run',
  'cancel',
  'outbox',
  'webhook',
  'push',
  'drain',
] satisfies readonly Hint['kind'][];

/** A hint as one line, for relays that carry text. */
export function formatHint({ kind, runId }: Hint): string {
  return `${kind} ${runId}`;
}

/** `undefined` for what another version of this program may have sent. */
export function parseHint(text: string): Hint | undefined {
  const [kind, runId = ''] = text.split(' ');
  return kinds.includes(kind) ? { kind: kind as Hint['kind'], runId } : undefined;
}

/** Calls every listener; what comes back over the relay wakes this process a second time, which is harmless. */
export function tell(listeners: ReadonlySet<(hint: Hint) => void>, hint: Hint): void {
  for (const listener of listeners) listener(hint);
}
