import { administration } from './conformance/administration.ts';
import { beginning } from './conformance/beginning.ts';
import { concurrency } from './conformance/concurrency.ts';
import { crashes } from './conformance/crashes.ts';
import { fencing } from './conformance/fencing.ts';
import { type ConformanceOptions, caseDefiner, type TestFunctions } from './conformance/harness.ts';
import { leases } from './conformance/leases.ts';
import { results } from './conformance/results.ts';
import { schedules } from './conformance/schedules.ts';

export type { ConformanceOptions, TestedStore, TestFunctions } from './conformance/harness.ts';

/**
 * Proves a store: every step of the machine, fencing, leases, crash points before and after every call, concurrency, and random
 * schedules compared with the reference.
 *
 * @example
 * ```ts
 * import { describe, test } from 'vitest';
 * storeConformance({ describe, test }, { name: 'mine', open: () => myStore() });
 * ```
 */
export function storeConformance(functions: TestFunctions, options: ConformanceOptions): void {
  const define = caseDefiner(functions, options);
  const { describe } = functions;
  describe(`${options.name} store`, () => {
    describe('begin', () => beginning(define));
    describe('fencing', () => fencing(define));
    describe('leases', () => leases(define));
    describe('results', () => results(define));
    describe('administration', () => administration(define));
    describe('concurrency', () => concurrency(define));
    describe('crash points', () => crashes(define));
    describe('schedules', () => schedules(define, options.schedules ?? 40));
  });
}
