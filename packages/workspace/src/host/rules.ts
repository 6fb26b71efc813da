import { posix } from 'node:path';
import { RefusedByPolicyError } from '../errors.ts';
import type { PublishRules } from '../workspace.ts';
import type { HostRepository } from './host-repository.ts';
import { sizesOf } from './sizes.ts';

/** Rules with their defaults. */
export type ResolvedRules = Required<Omit<PublishRules, 'allowedEmails' | 'allowedBranches'>> &
  Pick<PublishRules, 'allowedEmails' | 'allowedBranches'>;

const MEBIBYTE = 1024 * 1024;

/** Fills in defaults; later rules win. */
export function resolveRules(...layers: readonly (PublishRules | undefined)[]): ResolvedRules {
  return Object.assign(
    {
      descendsFromBase: true,
      maxCommits: 1000,
      maxBytes: 256 * MEBIBYTE,
      maxFileBytes: 100 * MEBIBYTE,
      forbiddenPaths: [],
      outsideSymlinks: false,
    },
    ...layers,
  ) as ResolvedRules;
}

/** A pattern with `*` (not over `/`), `**` (over it) and `?`; without a slash it matches at any depth. */
export function globToRegExp(pattern: string): RegExp {
  const glob = pattern.replace(/(?<=.)\/$/, '');
  const body = glob
    .replace(/^\//, '')
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*\*\/?|\*|\?/g, (token) => {
      if (token.startsWith('**')) return token.endsWith('/') ? '(?:.*/)?' : '.*';
      return token === '*' ? '[^/]*' : '[^/]';
    });
  return new RegExp(`^${glob.includes('/') ? '' : '(?:.*/)?'}${body}(?:/.*)?$`, 's');
}

/** A file that a commit changes. */
export interface Change {
  readonly path: string;
  readonly oldMode: string;
  readonly newMode: string;
  readonly newId: string;
}

/** All changes of all new commits, so that nothing hides in a commit whose successor takes it back. */
export async function changesOf(
  host: HostRepository,
  commits: string,
  signal?: AbortSignal,
): Promise<readonly Change[]> {
  const raw = await host.text({
    what: 'Listing the changes',
    args: [
      'diff-tree',
      '--stdin',
      '-m',
      '-r',
      '-z',
      '--raw',
      '--no-commit-id',
      '--no-renames',
      '--root',
      '--no-abbrev',
    ],
    input: `${commits}\n`,
    signal,
  });
  const fields = raw.split('\0');
  const changes: Change[] = [];
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [oldMode = '', newMode = '', , newId = ''] = (fields[at] as string).replace(/^:/, '').split(' ');
    changes.push({ path: fields[at + 1] as string, oldMode, newMode, newId });
  }
  return changes;
}

function checkPaths(changes: readonly Change[], rules: ResolvedRules): void {
  const forbidden = rules.forbiddenPaths.map(globToRegExp);
  for (const { path, oldMode, newMode } of changes) {
    if (forbidden.some((pattern) => pattern.test(path))) {
      throw new RefusedByPolicyError(
        'forbidden-path',
        `${path} must not change here; take the change out of all commits`,
      );
    }
    if (newMode === '160000' && oldMode === '000000') {
      throw new RefusedByPolicyError(
        'nested-repository',
        `${path} is a git repository of its own; remove its .git or the folder`,
      );
    }
  }
}

async function checkContents(
  host: HostRepository,
  changes: readonly Change[],
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<void> {
  const written = changes.filter(({ newMode }) => newMode.startsWith('1') && newMode !== '160000');
  if (written.length === 0) return;
  const ids = written.map(({ newId }) => newId);
  for (const [at, size] of (await sizesOf(host, ids, signal)).entries()) {
    if (size > rules.maxFileBytes) {
      throw new RefusedByPolicyError(
        'file-size',
        `${written[at]?.path} has ${size} bytes; ${rules.maxFileBytes} are allowed`,
      );
    }
  }
  if (rules.outsideSymlinks) return;
  for (const { path, newId } of written.filter(({ newMode }) => newMode === '120000')) {
    const target = await host.text({ what: 'Reading a link', args: ['cat-file', 'blob', newId], signal });
    const end = posix.normalize(posix.join(posix.dirname(path), target));
    if (posix.isAbsolute(target) || end === '..' || end.startsWith('../') || /(^|\/)\.git(\/|$)/i.test(end)) {
      throw new RefusedByPolicyError('outside-symlink', `${path} links to ${target}, which is outside of the tree`);
    }
  }
}

async function checkAuthors(
  host: HostRepository,
  tip: string,
  allowed: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const range = [tip, '--not', host.context.base];
  const found = await host.text({ what: 'Reading authors', args: ['log', '--format=%ae%n%ce', ...range], signal });
  const stranger = found.split('\n').find((email) => email !== '' && !allowed.includes(email));
  if (stranger !== undefined) {
    throw new RefusedByPolicyError('author', `Commits by ${stranger} are not allowed here`);
  }
}

/** What passed already, by workspace: a commit never changes, so committing, bundling and pushing one check it once. */
const passed = new WeakMap<HostRepository['context'], Set<string>>();

/** What is to leave the workspace: a tip and, where the host itself has just made it, its parent. */
export interface Leaving {
  readonly tip: string;
  readonly parent?: string;
}

/**
 * Checks what is on top of the base against the rules.
 *
 * @throws {RefusedByPolicyError} with the rule that it breaks
 */
export async function checkRules(
  host: HostRepository,
  leaving: Leaving,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<void> {
  const { tip } = leaving;
  if (tip === host.context.base) return;
  const known = passed.get(host.context) ?? new Set();
  const check = JSON.stringify([tip, rules]);
  if (known.has(check)) return;
  await checkCommits(host, leaving, rules, signal);
  passed.set(host.context, known.add(check));
}

async function checkCommits(
  host: HostRepository,
  { tip, parent }: Leaving,
  rules: ResolvedRules,
  signal?: AbortSignal,
): Promise<void> {
  // A commit of the host right on the base descends from it and brings no other with it.
  const commits = parent === host.context.base ? tip : await newCommits(host, tip, rules, signal);
  const count = commits === '' ? 0 : commits.split('\n').length;
  if (count > rules.maxCommits) {
    throw new RefusedByPolicyError('commits', `${count} commits on top of the base; ${rules.maxCommits} are allowed`);
  }
  const changes = await changesOf(host, commits, signal);
  checkPaths(changes, rules);
  await checkContents(host, changes, rules, signal);
  if (rules.allowedEmails !== undefined) await checkAuthors(host, tip, rules.allowedEmails, signal);
}

async function newCommits(
  host: HostRepository,
  tip: string,
  { descendsFromBase }: ResolvedRules,
  signal?: AbortSignal,
): Promise<string> {
  const { base } = host.context;
  if (descendsFromBase) {
    const args = ['merge-base', '--is-ancestor', base, tip];
    const { exitCode } = await host.run({ what: 'Comparing with the base', args, ok: [0, 1], signal });
    if (exitCode === 1)
      throw new RefusedByPolicyError('base', `${tip} does not descend from ${base}; rebase it onto that`);
  }
  return await host.text({ what: 'Listing commits', args: ['rev-list', tip, '--not', base], signal });
}

/** Checks the name of a branch that is to be pushed. */
export function checkBranch(branch: string, rules: ResolvedRules): void {
  const { allowedBranches } = rules;
  if (allowedBranches !== undefined && !allowedBranches.some((glob) => globToRegExp(`/${glob}`).test(branch))) {
    throw new RefusedByPolicyError(
      'branch',
      `Branch ${branch} is not allowed; allowed are ${allowedBranches.join(', ')}`,
    );
  }
}
