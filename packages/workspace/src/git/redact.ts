/** Removes user information, query and fragment from every address in a text. */
export function redact(text: string): string {
  return text
    .replace(/([a-z][a-z0-9+.-]*:\/\/)[^/\s@'"]+@/gi, '$1')
    .replace(/([a-z][a-z0-9+.-]*:\/\/[^\s'"?#]+)[?#][^\s'"]*/gi, '$1')
    .replace(/((?:authorization|proxy-authorization|private-token)\s*[:=]\s*)\S.*/gi, '$1[redacted]')
    .replace(/\b(?:gh[pousr]_|github_pat_|glpat-|sk-)[\w-]{8,}/g, '[redacted]');
}

/** The last lines of a text, redacted and short enough for an error or a log line. */
export function redactedTail(text: string, lines = 12): string {
  return redact(text)
    .trimEnd()
    .split(/[\r\n]+/)
    .slice(-lines)
    .join('\n')
    .slice(-4000);
}
