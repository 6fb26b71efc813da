import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson, fingerprint, InvalidKeyError, keyFrom, UnserializableError } from '../src/index.ts';

/** IEEE 754 bit patterns and their texts: RFC 8785 appendix B. */
const numbers: readonly (readonly [bits: string, text: string])[] = [
  ['0000000000000000', '0'],
  ['8000000000000000', '0'],
  ['0000000000000001', '5e-324'],
  ['8000000000000001', '-5e-324'],
  ['7fefffffffffffff', '1.7976931348623157e+308'],
  ['ffefffffffffffff', '-1.7976931348623157e+308'],
  ['4340000000000000', '9007199254740992'],
  ['c340000000000000', '-9007199254740992'],
  ['4430000000000000', '295147905179352830000'],
  ['44b52d02c7e14af5', '9.999999999999997e+22'],
  ['44b52d02c7e14af6', '1e+23'],
  ['44b52d02c7e14af7', '1.0000000000000001e+23'],
  ['444b1ae4d6e2ef4e', '999999999999999700000'],
  ['444b1ae4d6e2ef4f', '999999999999999900000'],
  ['444b1ae4d6e2ef50', '1e+21'],
  ['3eb0c6f7a0b5ed8c', '9.999999999999997e-7'],
  ['3eb0c6f7a0b5ed8d', '0.000001'],
  ['41b3de4355555553', '333333333.3333332'],
  ['41b3de4355555554', '333333333.33333325'],
  ['41b3de4355555555', '333333333.3333333'],
  ['41b3de4355555556', '333333333.3333334'],
  ['41b3de4355555557', '333333333.33333343'],
  ['becbf647612f3696', '-0.0000033333333333333333'],
  ['43143ff3c1cb0959', '1424953923781206.2'],
];

describe('canonicalJson (RFC 8785)', () => {
  test.each(numbers)('the number %s is %s', (bits, text) => {
    expect(canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toBe(text);
  });

  test.each(['7fffffffffffffff', '7ff0000000000000', 'fff0000000000000'])('the number %s is refused', (bits) => {
    expect(() => canonicalJson(Buffer.from(bits, 'hex').readDoubleBE())).toThrow(UnserializableError);
  });

  test('the sample of section 3.2.2', () => {
    const sample = {
      numbers: JSON.parse('[333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001]'),
      string: '\u20ac$\u000f\u000aA\'\u0042\u0022\u005c\\"/',
      literals: [null, true, false],
    };
    expect(canonicalJson(sample)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test('members are sorted by UTF-16 code units (section 3.2.3)', () => {
    const sample = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\u{1f600}': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    const values = Object.values(JSON.parse(canonicalJson(sample)) as object);
    const text = canonicalJson(sample);
    const order = Object.entries(sample)
      .map(([name, value]) => [text.indexOf(JSON.stringify(name)), value] as const)
      .sort(([a], [b]) => a - b)
      .map(([, value]) => value);
    expect(order).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ]);
    expect(values).toHaveLength(7);
  });

  test('members that look like numbers are sorted as text', () => {
    expect(canonicalJson({ 10: 'a', 9: 'b', 1: 'c', '': 'd' })).toBe('{"":"d","1":"c","10":"a","9":"b"}');
  });

  test('says the same as JSON about what JSON can say', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
      { numRuns: 500 },
    );
  });

  test('undefined, toJSON and nesting follow JSON', () => {
    expect(canonicalJson({ a: undefined, b: [undefined], c: new Date(0) })).toBe(
      '{"b":[null],"c":"1970-01-01T00:00:00.000Z"}',
    );
  });

  test.each([
    ['NaN', Number.NaN],
    ['a bigint', 1n],
    ['undefined', undefined],
    ['a Map', { m: new Map() }],
    ['a Set', [new Set()]],
    ['bytes', { b: new Uint8Array(2) }],
    ['half a surrogate pair', '\ud800'],
    ['half a surrogate pair in a name', { '\udc00': 1 }],
  ])('refuses %s', (_name, value) => {
    expect(() => canonicalJson(value)).toThrow(UnserializableError);
  });

  test('refuses cycles and a million levels without ending the process', () => {
    const cycle: unknown[] = [];
    cycle.push(cycle);
    expect(() => canonicalJson(cycle)).toThrow('levels');
    expect(() => canonicalJson(JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`))).toThrow('levels');
  });
});

describe('fingerprint and keyFrom', () => {
  test('does not depend on the order of members or the spelling of numbers', () => {
    const a = JSON.parse('{"b":[1,2.0],"a":1e2}');
    const b = JSON.parse('{"a":100,"b":[1.0,2]}');
    expect(fingerprint(a)).toBe(fingerprint(b));
    expect(fingerprint(a)).toMatch(/^[\w-]{43}$/);
    expect(fingerprint({ a: 100, b: [2, 1] })).not.toBe(fingerprint(a));
  });

  test('is SHA-256 of the canonical text', () => {
    expect(Buffer.from(fingerprint({}), 'base64url').toString('hex')).toBe(
      '44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a',
    );
  });

  test('keyFrom: task and input, nothing else', () => {
    const key = keyFrom('task-42', { prompt: 'fix', repo: 'acme' });
    expect(key).toBe(keyFrom('task-42', { repo: 'acme', prompt: 'fix' }));
    expect(new Set([key, keyFrom('task-43', { prompt: 'fix', repo: 'acme' }), keyFrom('task-42', {})]).size).toBe(3);
    expect(key.startsWith('task-42:')).toBe(true);
    for (const bad of ['', 'é', 'x'.repeat(201), 'a\nb']) expect(() => keyFrom(bad, {})).toThrow(InvalidKeyError);
  });
});
