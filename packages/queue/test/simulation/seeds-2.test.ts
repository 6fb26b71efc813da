import { seedsTest } from './seeds.ts';

// Half of the seeds: the two files run side by side.
seedsTest(2);
