import type { ClassRow, LineRow } from '../engine/rows.ts';
import { type Tables, turnOf } from '../engine/tables.ts';
import { ClassRing } from './class-ring.ts';
import { createHeap } from './heap.ts';

/** The rings of the classes, and the classes in the order of their turns. */
export interface Rings
  extends Pick<Tables, 'ringTop' | 'nextClass' | 'openClass' | 'saveClass' | 'removeClass' | 'reorder'> {
  /** Puts the line into the ring of its class, moves it there, or takes it out. */
  put(line: LineRow): void;
}

/** @param aging - the queue's setting, read at each use */
export function createRings(aging: () => number): Rings {
  const rings = new Map<number, ClassRing>();
  const classes = new Map<number, ClassRow>();
  const order = createHeap<ClassRow, 'classSlot'>('classSlot', (a, b) => {
    const difference = turnOf(a, aging()) - turnOf(b, aging());
    return difference === 0 ? a.priority > b.priority : difference < 0;
  });

  function ringOf(priority: number): ClassRing {
    const known = rings.get(priority);
    if (known !== undefined) return known;
    const made = new ClassRing();
    rings.set(priority, made);
    return made;
  }

  function saveClass(row: ClassRow): void {
    classes.set(row.priority, row);
    order.put(row);
  }

  return {
    put: (line) => {
      if (line.state === 'ringed') ringOf(line.priority).put(line);
      else if (line.ringSlot >= 0) ringOf(line.priority).remove(line);
    },
    ringTop: (priority) => rings.get(priority)?.peek(),
    nextClass: order.peek,
    openClass: (priority, since) => {
      if (!classes.has(priority)) saveClass({ priority, since, classSlot: -1 });
    },
    saveClass,
    removeClass: (row) => {
      classes.delete(row.priority);
      rings.delete(row.priority);
      order.remove(row);
    },
    reorder: order.rebuild,
  };
}
