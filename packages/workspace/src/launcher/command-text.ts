import { shellWord } from '../shell-word.ts';

/** A program to start by a shell. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables; the names must be names. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string | undefined;
}

/**
 * The text that lets a shell run a program. Standard output and standard error begin and end with the mark; the third descriptor
 * gets the exit status.
 */
export function commandText({ command, args, env, input }: Command, mark: string): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${shellWord(value)}`);
  const program = [...variables, shellWord(command), ...args.map(shellWord)].join(' ');
  const sayMark = `printf ${mark}\nprintf ${mark} >&2\n`;
  return `${sayMark}${fed(program, input, mark)}status=$?\n${sayMark}echo $status >&3\n`;
}

/** Whole lines come as a document in the text, for which no other process must be made. */
function fed(program: string, input: string | undefined, mark: string): string {
  if (input === undefined) return `${program} </dev/null 3>&-\n`;
  if (input.endsWith('\n')) return `${program} 3>&- <<'${mark}'\n${input}${mark}\n`;
  return `printf %s ${shellWord(input)} | ${program} 3>&-\n`;
}
