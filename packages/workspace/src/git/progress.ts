import type { Progress } from '../manager.ts';

const line = /^(?:remote: )?([A-Z][A-Za-z ]+):\s+(\d+)% \((\d+)\/(\d+)\)/;

/** Makes a reader of git's standard error that reports each step of progress; lines end by carriage return. */
export function progressReader(report: (progress: Progress) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const pieces = (rest + chunk.toString('utf8')).split(/[\r\n]/);
    rest = pieces.pop() ?? '';
    for (const piece of pieces) {
      const [, phase, percent, done, total] = line.exec(piece) ?? [];
      if (phase !== undefined) {
        report({ phase, percent: Number(percent), done: Number(done), total: Number(total) });
      }
    }
  };
}
