/** What stands where a secret was. */
export const REDACTED = '[redacted]';

const secretWords =
  'authorization|cookie|password|passwd|passphrase|secret|token|api[-_]?key|access[-_]?key|private[-_]?key|credentials?';

/** A field whose name ends with such a word: `"x-api-key": "…"`, `"githubToken":["…"]`, also inside a quoted JSON text. */
const secretField = new RegExp(
  `((\\\\*)"[^"\\\\]{0,64}(?:${secretWords})\\\\*"\\s*:\\s*)(?:"(?:[^"\\\\]|\\\\.)*"|\\\\+"[^"\\\\]*\\\\+"|\\[[^\\]]*\\])`,
  'gi',
);

/** `Authorization: Bearer …` and `?access_token=…` in running text and URLs. */
const secretParameter = new RegExp(`\\b((?:[\\w.-]{0,32}(?:${secretWords}|signature)|sig)=)[^\\s&"'\\\\#;,]+`, 'gi');

const bearer = /\b(bearer|basic)(\s+)[\w.~+/=-]{8,}/gi;

/** `https://user:password@host`. */
const urlPassword = /(\b[a-z][a-z0-9+.-]{0,20}:\/\/)[^\s/@"'\\]{0,256}@/gi;

/**
 * Keys by the shapes that their providers publish: Anthropic and OpenAI (`sk-`), GitHub (`ghp_`, `github_pat_` …),
 * GitLab, Google, AWS, Slack, npm, Stripe; JSON web tokens; PEM private keys.
 */
const providerKey = new RegExp(
  [
    'sk-[A-Za-z0-9_-]{16,}',
    'gh[pousr]_[A-Za-z0-9]{16,}',
    'github_pat_\\w{16,}',
    'glpat-[\\w-]{16,}',
    'AIza[\\w-]{30,}',
    '(?:AKIA|ASIA)[A-Z0-9]{16}',
    'xox[abeoprs]-[\\w-]{10,}',
    'npm_[A-Za-z0-9]{30,}',
    '[rs]k_(?:live|test)_[A-Za-z0-9]{16,}',
    'eyJ[\\w-]{8,}\\.[\\w-]{8,}\\.[\\w-]*',
    '-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?-----END [A-Z ]*PRIVATE KEY-----',
  ].join('|'),
  'g',
);

/** Takes secrets out of a text: fields by name, URLs, headers, and provider keys by shape. For one line of JSON or for prose. */
export function redact(text: string): string {
  return text
    .replace(secretField, `$1$2"${REDACTED}$2"`)
    .replace(urlPassword, `$1${REDACTED}@`)
    .replace(bearer, `$1$2${REDACTED}`)
    .replace(secretParameter, `$1${REDACTED}`)
    .replace(providerKey, REDACTED);
}
