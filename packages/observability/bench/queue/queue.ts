import { temporaryDirectory } from '@millrace/test-support';
import type { Bench, Result } from '../result.ts';
import { compare, type Extent, type Measured, measure } from './measure.ts';
import { buildPrograms, type Pass } from './variant.ts';

const timeExtent = (quick: boolean): Extent => ({ generations: quick ? 3 : 12, warming: 10, turns: quick ? 20 : 40 });
/** What a job allocates is the same in every pass once the compiler is warm, which takes it longer with so much room. */
const heapExtent = { warming: 12, turns: 10, wholeHeap: true } as const;
const without = 'the queue without a line about instrumentation';

/**
 * off.*: a queue in memory at full speed, with handlers that do nothing, which is where instrumentation weighs most. Compared is
 * processor time per job, which is what bounds throughput here and which other processes change little. `off.noise` compares the
 * peer with itself: what is within its interval is not a difference.
 */
export const off: Bench = {
  metrics: ['off.cost', 'off.noise', 'off.alloc', 'off.alloc.noise'],
  async run({ quick }) {
    await using directory = await temporaryDirectory('bench');
    const program = await buildPrograms(directory.path);
    const entrants = { absent: 'absent', stripped: 'stripped', control: 'stripped' } as const;
    const time = await measure(program, entrants, timeExtent(quick));
    const heap = await measure(program, entrants, { ...heapExtent, generations: quick ? 1 : 3 });
    return [
      result('off.cost', time, ['absent', 'stripped'], 'cpu', without),
      result('off.noise', time, ['control', 'stripped'], 'cpu', 'the same program again'),
      result('off.alloc', heap, ['absent', 'stripped'], 'bytes', without),
      result('off.alloc.noise', heap, ['control', 'stripped'], 'bytes', 'the same program again'),
    ];
  },
};

/** on.*: the same queue with metrics, and with ids for log lines, against one to which no instrumentation is given. */
export const on: Bench = {
  metrics: ['on.cost', 'on.cost.ids'],
  async run({ quick }) {
    await using directory = await temporaryDirectory('bench');
    const program = await buildPrograms(directory.path);
    const entrants = { on: 'on', absent: 'absent', ids: 'ids' } as const;
    const time = await measure(program, entrants, timeExtent(quick));
    return [
      result('on.cost', time, ['on', 'absent'], 'cpu', 'no instrumentation given'),
      result('on.cost.ids', time, ['ids', 'absent'], 'cpu', 'no instrumentation given'),
    ];
  },
};

const units: Readonly<Record<keyof Pass, string>> = {
  cpu: 'ns CPU per job',
  wall: 'ns per job',
  bytes: 'bytes allocated per job',
};

function result(
  metric: string,
  measured: Measured,
  [mine, theirs]: readonly [string, string],
  by: keyof Pass,
  peerName: string,
): Result {
  const { ours, peer, ratio, low, high } = compare(measured, mine, theirs, by);
  return {
    metric,
    ours,
    peer,
    peerName,
    unit: `${units[by]}; 95 % interval of the ratio: ${low.toFixed(3)} to ${high.toFixed(3)}`,
    ratio: Number(ratio.toFixed(3)),
  };
}
