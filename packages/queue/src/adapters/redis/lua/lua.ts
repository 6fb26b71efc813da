/** Marks Lua text. Nothing is interpreted: a backslash reaches Redis as it stands. */
export function lua(parts: TemplateStringsArray): string {
  return parts.raw.join('');
}
