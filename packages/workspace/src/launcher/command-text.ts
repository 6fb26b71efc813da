/** One word for a shell, whatever it holds. */
function quoted(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A program to start by a shell. */
export interface Command {
  readonly command: string;
  readonly args: readonly string[];
  /** Variables; the names must be names. */
  readonly env: Readonly<Record<string, string>>;
  readonly input: string | undefined;
}

/**
 * The text that lets a shell run a program. Standard output and standard error end with the mark; the third descriptor
 * gets the exit status.
 */
export function commandText({ command, args, env, input }: Command, mark: string): string {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${quoted(value)}`);
  const program = [...variables, quoted(command), ...args.map(quoted)].join(' ');
  const fed = input === undefined ? `${program} </dev/null` : `printf %s ${quoted(input)} | ${program}`;
  return `${fed} 3>&-\nstatus=$?\nprintf ${mark}\nprintf ${mark} >&2\necho $status >&3\n`;
}
