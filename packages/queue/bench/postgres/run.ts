import { measureEnqueue, measurePickup } from './enqueue.ts';
import { measureDepth, measureProcess } from './process.ts';

// One group, in a process of its own on a Node that the peers run on. Its last line is the results as JSON.

const groups = { process: measureProcess, depth: measureDepth, enqueue: measureEnqueue, pickup: measurePickup };
const [group = '', size] = process.argv.slice(2);
const measure = groups[group as keyof typeof groups];
const results = await measure(size === 'quick');
process.stdout.write(`\n${JSON.stringify(results)}\n`, () => process.exit(0));
