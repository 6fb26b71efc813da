import { writeFile } from 'node:fs/promises';
import { InvalidOptionError, RefusedByPolicyError } from '../errors.ts';
import type { BundleOptions, Commit } from '../workspace.ts';
import type { HostRepository } from './host-repository.ts';
import { importAgentCommits } from './import.ts';
import { checkRules, type ResolvedRules } from './rules.ts';

/** Bytes of a bundle at most: it passes through memory. */
const MOST_BYTES = 1024 * 1024 * 1024;

/**
 * The head of a bundle with one tip that needs one commit. Format: https://git-scm.com/docs/gitformat-bundle; only the
 * third version can say that ids are SHA-256.
 */
function headerOf(host: HostRepository, branch: string | undefined, tip: string): string {
  const { base, format } = host.context;
  const version = format === 'sha1' ? '# v2 git bundle' : `# v3 git bundle\n@object-format=${format}`;
  return `${version}\n-${base}\n${tip} refs/millrace/bundle/${branch ?? 'detached'}\n\n`;
}

/** Objects that the tip has and the base has not, as one pack. */
async function packOf(host: HostRepository, tip: string, signal?: AbortSignal): Promise<Buffer> {
  const { stdout, truncated } = await host.run({
    what: 'Packing a bundle',
    args: ['pack-objects', '--revs', '--thin', '--stdout', '--quiet', '--delta-base-offset'],
    input: `${tip}\n--not\n${host.context.base}\n`,
    maxOutput: MOST_BYTES,
    signal,
  });
  if (truncated) throw new RefusedByPolicyError('size', `The bundle has more than ${MOST_BYTES} bytes; push instead`);
  return stdout;
}

/** Writes a bundle of what is on top of the base: header and pack, with one process where `git bundle` takes three. */
export async function writeBundle(
  host: HostRepository,
  branch: string | undefined,
  rules: ResolvedRules,
  options: BundleOptions,
): Promise<Commit> {
  const { path, signal } = options;
  const sha = await importAgentCommits(host, rules, signal);
  await checkRules(host, { tip: sha }, rules, signal);
  if (sha === host.context.base) {
    throw new InvalidOptionError('bundle', 'needs a commit on top of the base; commit something first');
  }
  const bundle = Buffer.concat([Buffer.from(headerOf(host, branch, sha)), await packOf(host, sha, signal)]);
  await writeFile(path, bundle, { flag: 'wx' }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
    throw new InvalidOptionError('path', `is a file already (${path}); name one that does not exist`);
  });
  return { sha };
}
