import { StringDecoder } from 'node:string_decoder';

/** Longer lines are cut here (characters), so that a program without line ends cannot fill the memory. */
export const maxLineLength = 16 * 1024;

/** Splits a stream of bytes into lines; the last one needs no line end. */
export async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string, void, undefined> {
  const decoder = new StringDecoder('utf8');
  let rest = '';
  for await (const chunk of chunks) {
    const lines = (rest + decoder.write(chunk)).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) yield* pieces(line.endsWith('\r') ? line.slice(0, -1) : line);
    while (rest.length > maxLineLength) {
      yield rest.slice(0, maxLineLength);
      rest = rest.slice(maxLineLength);
    }
  }
  rest += decoder.end();
  if (rest) yield* pieces(rest);
}

function* pieces(line: string): Generator<string, void, undefined> {
  for (let start = 0; start === 0 || start < line.length; start += maxLineLength) {
    yield line.slice(start, start + maxLineLength);
  }
}
