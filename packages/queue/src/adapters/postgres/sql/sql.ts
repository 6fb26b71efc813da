/** Marks text as SQL. In it `mr.` stands for the schema of the tables and `fn.` for that of the functions; see {@link inSchema}. */
export function sql(parts: TemplateStringsArray): string {
  return parts.raw.join('');
}

/** Version of the functions. Each has a schema of its own, so that two versions of the package work on one queue side by side. */
export const functionsVersion = 2;

/** Name of the schema that holds the functions. */
export function functionsSchema(schema: string): string {
  return `${schema}_f${functionsVersion}`;
}

/**
 * Settings of the functions through which every call comes in, and so of all that these call. Tables of a queue are now empty, now large: plans made
 * from statistics are wrong at some time, so every statement is written for one plan (by keys, step by step), which is made once per connection.
 */
const hotSettings = [
  'plan_cache_mode = force_generic_plan',
  // Before version 18 a way that is switched off counts as dear, which would have every statement compiled, for a second.
  'jit = off',
  ...['seqscan', 'bitmapscan', 'hashjoin', 'mergejoin'].map((way) => `enable_${way} = off`),
]
  .map((setting) => `SET ${setting}`)
  .join(' ');

/** Puts the names of the schemas, quoted, where the text says `mr.` and `fn.`. */
export function inSchema(text: string, schema: string): string {
  const [tables, functions] = [quote(schema), quote(functionsSchema(schema))];
  const settled = text.replaceAll(' hot_settings ', ` ${hotSettings} `);
  return settled.replace(/\b(mr|fn)\./g, (_, which: string) => `${which === 'mr' ? tables : functions}.`);
}

/** An SQL identifier. */
export function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
