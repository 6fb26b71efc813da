/** Lines added and removed by a run. */
export interface DiffStat {
  readonly files_changed: number;
  readonly insertions: number;
  readonly deletions: number;
}

/**
 * Counts what a patch of git changes, as `git diff --numstat` would, without another process. A binary file counts as
 * changed and has no lines. What a hunk's head announces is skipped, so that text that looks like a patch is not counted.
 */
export function statOfPatch(patch: Buffer): DiffStat {
  const stat = { files_changed: 0, insertions: 0, deletions: 0 };
  let [oldLines, newLines] = [0, 0];
  for (const line of patch.toString('latin1').split('\n')) {
    if (oldLines > 0 || newLines > 0) {
      const kind = line.charAt(0);
      if (kind === '\\') continue;
      if (kind !== '+') oldLines -= 1;
      if (kind !== '-') newLines -= 1;
      if (kind === '+') stat.insertions += 1;
      if (kind === '-') stat.deletions += 1;
      continue;
    }
    if (line.startsWith('diff --git ')) stat.files_changed += 1;
    const hunk = /^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@/.exec(line);
    if (hunk) [oldLines, newLines] = [Number(hunk[1] ?? 1), Number(hunk[2] ?? 1)];
  }
  return stat;
}
