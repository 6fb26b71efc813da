import type { Clock } from '../clock.ts';
import type { PeerStore } from '../store.ts';

/** Members of groups in this process. */
export class MemoryPeers implements PeerStore {
  readonly #clock: Clock;
  readonly #groups: Map<string, Map<string, number>>;

  /** @param groups - where the state lies; another store may bring its own for one operation */
  constructor(clock: Clock, groups: Map<string, Map<string, number>> = new Map()) {
    this.#clock = clock;
    this.#groups = groups;
  }

  beat(group: string, id: string, ttlMs: number): number {
    const now = this.#clock.monotonic();
    const members = this.#groups.get(group) ?? new Map<string, number>();
    this.#groups.set(group, members);
    members.set(id, now + ttlMs);
    for (const [member, expires] of members) if (expires <= now) members.delete(member);
    return members.size;
  }

  leave(group: string, id: string): void {
    this.#groups.get(group)?.delete(id);
  }
}
