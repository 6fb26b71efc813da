/** A value out of somebody else's JSON: looked at, never trusted. */
export type Json = Readonly<Record<string, unknown>>;

/** The object on a line, or `undefined` when the line is not a JSON object. */
export function parseJsonLine(line: string): Json | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Json;
  } catch {
    return undefined;
  }
}

export function objectAt(value: Json, key: string): Json {
  const found = value[key];
  return typeof found === 'object' && found !== null && !Array.isArray(found) ? (found as Json) : {};
}

export function listAt(value: Json, key: string): readonly Json[] {
  const found = value[key];
  return Array.isArray(found)
    ? found.filter((entry): entry is Json => typeof entry === 'object' && entry !== null)
    : [];
}

export function textAt(value: Json, key: string): string {
  const found = value[key];
  return typeof found === 'string' ? found : '';
}

export function countAt(value: Json, key: string): number {
  const found = value[key];
  return typeof found === 'number' && Number.isFinite(found) && found > 0 ? Math.floor(found) : 0;
}
