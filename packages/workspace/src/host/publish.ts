import { DivergedError } from '../errors.ts';
import { listRemote, runRemote } from '../git/remote.ts';
import { publishLfs } from '../lfs/publish.ts';
import type { RepositoryAddress } from '../repository.ts';
import type { PushOptions, PushResult } from '../workspace.ts';
import type { HostRepository } from './host-repository.ts';
import { importAgentCommits } from './import.ts';
import { checkBranch, checkRules, type ResolvedRules } from './rules.ts';

/** Pushes the tip to a branch, from the host's repository, with credentials from the socket. */
export async function pushTip(
  host: HostRepository,
  remote: RepositoryAddress,
  branch: string,
  rules: ResolvedRules,
  options: PushOptions,
): Promise<PushResult> {
  const { signal } = options;
  const { services } = host.context;
  const sha = await importAgentCommits(host, rules, signal);
  checkBranch(branch, rules);
  await checkRules(host, { tip: sha }, rules, signal);
  const ref = `refs/heads/${branch}`;
  await publishLfs(host, remote, sha, rules, signal);
  services.step('push:before');
  // Most branches are new: to say so and be refused now and then costs less than to ask each time.
  const status = await pushOver(host, remote, { ref, sha, seen: undefined }, signal).catch(async (error: unknown) => {
    if (!(error instanceof DivergedError)) throw error;
    const seen = (await listRemote(services, remote, [ref], signal)).refs.get(ref);
    await checkForward(host, seen, sha, options, `${remote.url} ${ref}`);
    return await pushOver(host, remote, { ref, sha, seen }, signal);
  });
  services.step('push:after');
  return { ref, sha, status };
}

/** The lease names what is expected there, so that nothing that came in between is overwritten. */
async function pushOver(
  host: HostRepository,
  remote: RepositoryAddress,
  { ref, sha, seen = '' }: { readonly ref: string; readonly sha: string; readonly seen: string | undefined },
  signal: AbortSignal | undefined,
): Promise<PushResult['status']> {
  const { stdout } = await runRemote(host.context.services, remote, 'push', {
    what: `Pushing ${ref} to ${remote.url}`,
    gitDir: host.gitDir,
    args: [
      'push',
      '--porcelain',
      '--no-verify',
      `--force-with-lease=${ref}:${seen}`,
      '--end-of-options',
      remote.url,
      `${sha}:${ref}`,
    ],
    signal,
  });
  return /^=\t/m.test(stdout.toString('utf8')) ? 'unchanged' : 'pushed';
}

async function checkForward(
  host: HostRepository,
  seen: string | undefined,
  sha: string,
  options: PushOptions,
  where: string,
): Promise<void> {
  if (seen === undefined || options.mode === 'replace') return;
  const args = ['merge-base', '--is-ancestor', seen, sha];
  const { exitCode } = await host.run({
    what: 'Comparing with the remote',
    args,
    ok: [0, 1, 128],
    signal: options.signal,
  });
  if (exitCode !== 0) {
    throw new DivergedError(
      `${where} is at ${seen}, which ${sha} does not contain. Choose another branch, or \`mode: 'replace'\``,
    );
  }
}
