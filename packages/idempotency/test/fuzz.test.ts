import { expect, test } from 'vitest';
import { fetchIdempotency } from '../src/http.ts';
import { createIdempotency } from '../src/index.ts';
import { memoryStore } from '../src/memory.ts';

const cases = 100_000;

/** Mulberry32 (T. Ettinger, public domain). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** An independent reading of the grammar, character by character: what may be a key, and which; `either` where it has parameters. */
function referenceKey(header: string): string | undefined {
  const value = header.replace(/^[ \t]+/, '').replace(/[ \t]+$/, '');
  if (!value.startsWith('"')) {
    const token = [...value].every((char) => /[A-Za-z0-9]/.test(char) || "!#$%&'*+-.^_`|~:/=@".includes(char));
    return token && value.length >= 1 && value.length <= 255 ? value : undefined;
  }
  let key = '';
  let at = 1;
  for (; at < value.length && value[at] !== '"'; at += 1) {
    const char = value[at] as string;
    if (char < ' ' || char > '~') return undefined;
    if (char !== '\\') key += char;
    else if (value[at + 1] !== '"' && value[at + 1] !== '\\') return undefined;
    else {
      at += 1;
      key += value[at];
    }
  }
  if (value[at] !== '"') return undefined;
  // What follows are parameters, which have a grammar of their own, or nothing.
  if (/^ *;/.test(value.slice(at + 1)) && key.length >= 1 && key.length <= 255) return 'either';
  return at === value.length - 1 && key.length >= 1 && key.length <= 255 ? key : undefined;
}

const alphabet = [
  '"',
  '\\',
  ' ',
  ',',
  ';',
  '=',
  'a',
  'Z',
  '0',
  '-',
  '_',
  '\u00e9',
  '\u00ff',
  '\t',
  '{',
  '}',
  "'",
  '~',
  '!',
  '(',
];

test(`${cases} random headers, keys and bodies: no crash, no 500, no key that the grammar refuses`, {
  timeout: 120_000,
}, async () => {
  const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
  const random = generator(seed);
  const bytes = (length: number): Uint8Array => Uint8Array.from({ length }, () => Math.floor(random() * 256));
  const text = (length: number): string =>
    Array.from({ length }, () =>
      random() < 0.7
        ? alphabet[Math.floor(random() * alphabet.length)]
        : String.fromCharCode(32 + Math.floor(random() * 95)),
    ).join('');
  const bodies = [
    () => bytes(Math.floor(random() * 40)),
    () => new TextEncoder().encode(text(Math.floor(random() * 40))),
    () => new TextEncoder().encode('['.repeat(Math.floor(random() * 3000))),
    () => new TextEncoder().encode(`${'['.repeat(700)}${']'.repeat(700)}`),
    () => new TextEncoder().encode('{"a":"\\ud800","__proto__":{"x":1},"n":1e999}'),
    () => new Uint8Array(),
  ];
  const store = memoryStore();
  const protect = fetchIdempotency({
    idempotency: createIdempotency({ store, sweepInterval: false }),
    tenant: () => 'fuzz',
  });
  for (let index = 0; index < cases; index += 1) {
    const shape = random();
    const raw =
      shape < 0.5
        ? text(Math.floor(random() * 12))
        : shape < 0.8
          ? `"${text(Math.floor(random() * 10))}"`
          : shape < 0.9
            ? `k${index}`
            : text(250 + Math.floor(random() * 10));
    const body = bodies[Math.floor(random() * random() * bodies.length)]?.() ?? new Uint8Array();
    const type = random() < 0.8 ? 'application/json' : text(5).replace(/[^\x20-\x7e]/g, '');
    let sent: Request;
    try {
      sent = new Request('http://fuzz.test/x', {
        method: 'POST',
        body,
        headers: { 'idempotency-key': raw, 'content-type': type },
      });
    } catch {
      continue; // The header cannot even be sent.
    }
    const header = sent.headers.get('idempotency-key') ?? '';
    let executed = false;
    const response = await protect(sent, async () => {
      executed = true;
      return new Response('ok');
    });
    const key = referenceKey(header);
    const say = `FUZZ_SEED=${seed}, case ${index}, header ${JSON.stringify(header)}`;
    if (key === 'either') expect([200, 400, 422], say).toContain(response.status);
    else if (key === undefined) expect([response.status, executed], say).toEqual([400, false]);
    else expect([200, 422].includes(response.status), `${say}: ${response.status}`).toBe(true);
    if (index % 1000 === 0) await store.forget('fuzz');
  }
});
