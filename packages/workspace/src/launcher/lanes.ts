import { type Lane, openLane } from './lane.ts';

/** The shells of a launcher: made when all are busy, used again. */
export interface Lanes {
  /** A free lane; undefined where this system has none. */
  take(): Promise<Lane | undefined>;
  giveBack(lane: Lane): void;
  /** Closes the free ones, and the others when they come back. */
  close(): void;
}

export function createLanes(environment: Readonly<Record<string, string>>): Lanes {
  const free: Lane[] = [];
  let [works, closed] = [true, false];
  return {
    take: async () => {
      // One that died while it was free is left out.
      for (let lane = free.pop(); lane !== undefined; lane = free.pop()) if (lane.isOpen()) return lane;
      if (!works || closed) return undefined;
      const lane = await openLane(environment);
      works = lane !== undefined;
      return lane;
    },
    giveBack: (lane) => {
      if (closed) lane.close();
      else if (lane.isOpen()) free.push(lane);
    },
    close: () => {
      closed = true;
      for (const lane of free.splice(0)) lane.close();
    },
  };
}
