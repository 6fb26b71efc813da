/** Log lines as they were written, parsed. */
export function capturedLines(): {
  write(line: string): void;
  readonly lines: Record<string, unknown>[];
  text(): string;
} {
  const raw: string[] = [];
  return {
    write: (line) => raw.push(line),
    get lines() {
      return raw.map((line) => JSON.parse(line) as Record<string, unknown>);
    },
    text: () => raw.join(''),
  };
}
