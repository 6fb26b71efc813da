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
