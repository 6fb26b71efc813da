import { POINTER_BYTES, POINTER_VERSION } from './pointer.ts';

/**
 * Filters for git that need a POSIX shell and a program that computes SHA-256, not git-lfs, and no network: `clean`
 * turns content into a pointer and keeps the content in `<git-dir>/lfs`, `smudge` looks for it there and beside the
 * borrowed objects, and writes the pointer where it finds nothing. Where git-lfs is installed, its `process` filter goes
 * before them; it finds the same objects in the same places. No `%`, which git would take for a placeholder.
 */
const received = [
  'd=$(git rev-parse --git-common-dir)/lfs',
  'mkdir -p "$d/tmp"',
  't=$(mktemp "$d/tmp/XXXXXX")',
  'trap \'rm -f "$t"\' EXIT',
  'cat >"$t"',
  'n=$(($(wc -c <"$t")))',
  `is_pointer() { [ "$n" -lt ${POINTER_BYTES} ] && [ "$(head -n 1 "$t" | tr -d "\\0")" = "${POINTER_VERSION}" ]; }`,
  'place() { echo "objects/$(echo "$1" | cut -c1-2)/$(echo "$1" | cut -c3-4)/$1"; }',
];

const clean = [
  ...received,
  'if [ "$n" -eq 0 ] || is_pointer; then cat "$t"; exit; fi',
  'o=$( (sha256sum <"$t" || shasum -a 256 <"$t") 2>/dev/null | cut -c1-64)',
  '[ -n "$o" ] || { echo "LFS: neither sha256sum nor shasum works here" >&2; exit 1; }',
  'p=$d/$(place "$o")',
  'mkdir -p "$(dirname "$p")"',
  'chmod 444 "$t"',
  '[ -e "$p" ] || mv -f "$t" "$p"',
  `echo "${POINTER_VERSION}"`,
  'echo "oid sha256:$o"',
  'echo "size $n"',
];

const smudge = [
  ...received,
  'is_pointer || { cat "$t"; exit; }',
  'o=$(sed -n "s/^oid sha256://p" "$t" | tr -cd "0-9a-f" | cut -c1-64)',
  '[ -n "$o" ] || { cat "$t"; exit; }',
  'p=$(place "$o")',
  'if [ -f "$d/$p" ]; then cat "$d/$p"; exit; fi',
  'a=$d/../objects/info/alternates',
  '[ -r "$a" ] && while IFS= read -r s; do if [ -f "$s/../lfs/$p" ]; then cat "$s/../lfs/$p"; exit; fi; done <"$a"',
  'cat "$t"',
];

function command(lines: readonly string[]): string {
  return `(set -e; ${lines.join('; ')})`;
}

/** Settings that make git keep the files with `filter=lfs` as pointers. */
export const filterSettings: Readonly<Record<string, string>> = {
  'filter.lfs.clean': command(clean),
  'filter.lfs.smudge': command(smudge),
  // A clean that fails must not put the content itself into the history.
  'filter.lfs.required': 'true',
};
