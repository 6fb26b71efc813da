import assert from 'node:assert/strict';
import { type OpenStore, type TestFunctions, unique, withStore } from './harness.ts';

/** Proves a `CircuitStore`: shared opening, a bounded number of probes, never stuck half-open. */
export function circuitTests({ describe, it }: TestFunctions, open: OpenStore<'circuits'>): void {
  describe('circuits', () => {
    openingTests(it, open);
    probeTests(it, open);
  });
}

function openingTests(it: TestFunctions['it'], open: OpenStore<'circuits'>): void {
  it('is closed until it is opened, and open for its time', () =>
    withStore(open, async ({ store: { circuits }, advance }) => {
      const key = unique('circuit');
      assert.equal((await circuits.read(key)).state, 'closed');
      const opened = await circuits.open(key, 1_000);
      assert.equal(opened.state, 'open');
      assert.ok(opened.openFor > 0 && opened.openFor <= 1_000);
      assert.equal((await circuits.probe(key, 'early', 1, 1_000)).granted, false);
      await advance(1_200);
      assert.equal((await circuits.read(key)).state, 'half-open');
    }));

  it('every opening has a new epoch', () =>
    withStore(open, async ({ store: { circuits } }) => {
      const key = unique('circuit');
      const { epoch } = await circuits.open(key, 100);
      assert.ok((await circuits.open(key, 100)).epoch > epoch);
    }));
}

function probeTests(it: TestFunctions['it'], open: OpenStore<'circuits'>): void {
  it('lets N probes through, and closes after enough successes', () =>
    withStore(open, async ({ store: { circuits } }) => {
      const key = unique('circuit');
      await circuits.open(key, 0);
      const ids = ['a', 'b', 'c'];
      const probes = await Promise.all(ids.map((id) => circuits.probe(key, id, 2, 60_000)));
      const [first = '', second = '', ...more] = ids.filter((_, i) => probes[i]?.granted);
      assert.ok(second !== '' && more.length === 0, 'two of three');
      assert.equal((await circuits.report(key, first, true, 2, 1_000)).state, 'half-open');
      assert.equal((await circuits.report(key, second, true, 2, 1_000)).state, 'closed');
      assert.equal((await circuits.read(key)).state, 'closed');
    }));

  it('one failed probe opens it again', () =>
    withStore(open, async ({ store: { circuits } }) => {
      const key = unique('circuit');
      await circuits.open(key, 0);
      await circuits.probe(key, 'a', 1, 60_000);
      const record = await circuits.report(key, 'a', false, 1, 5_000);
      assert.equal(record.state, 'open');
      assert.ok(record.openFor > 4_000);
    }));

  it('a probe that died gives its place back', () =>
    withStore(open, async ({ store: { circuits }, advance }) => {
      const key = unique('circuit');
      await circuits.open(key, 0);
      await circuits.probe(key, 'dead', 1, 1_000);
      assert.equal((await circuits.probe(key, 'next', 1, 60_000)).granted, false);
      await advance(1_200);
      assert.equal((await circuits.probe(key, 'next', 1, 60_000)).granted, true);
    }));

  it('a report of an unknown probe changes nothing', () =>
    withStore(open, async ({ store: { circuits } }) => {
      const key = unique('circuit');
      await circuits.open(key, 0);
      assert.equal((await circuits.report(key, 'stranger', true, 1, 1_000)).state, 'half-open');
    }));
}
