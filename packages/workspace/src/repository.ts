import { createHash } from 'node:crypto';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { InvalidOptionError, RefusedByPolicyError } from './errors.ts';
import type { Protocol } from './manager.ts';

/** A checked address of a repository. */
export interface RepositoryAddress {
  /** What git gets: a URL, or an absolute path. Never holds credentials. */
  readonly url: string;
  /** How it is reached. */
  readonly protocol: Protocol;
  /** Folder name of its mirror. */
  readonly key: string;
}

function keyOf(url: string): string {
  const canonical = url.replace(/\/+$/, '').replace(/\.git$/, '');
  const readable = canonical
    .replace(/[^A-Za-z0-9]+/g, '-')
    .slice(-40)
    .replace(/^-/, '');
  return `${readable}-${createHash('sha256').update(canonical).digest('hex').slice(0, 16)}`;
}

function localAddress(path: string): RepositoryAddress {
  const url = resolve(path);
  return { url, protocol: 'file', key: keyOf(url) };
}

function remoteAddress(text: string): RepositoryAddress {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined)
    throw new InvalidOptionError('repo', `is not a URL or an existing path: ${JSON.stringify(text)}`);
  if (url.protocol === 'file:') return localAddress(fileURLToPath(url));
  const protocol = url.protocol.slice(0, -1);
  if (protocol !== 'https' && protocol !== 'http' && protocol !== 'ssh') {
    throw new RefusedByPolicyError('protocol', `Protocol "${protocol}" is never allowed; use https, http, ssh or file`);
  }
  if (url.password !== '' || (url.username !== '' && protocol !== 'ssh')) {
    throw new RefusedByPolicyError(
      'url-credentials',
      'The address holds credentials; take them out and give them by `credentials`',
    );
  }
  if (url.hostname.startsWith('-') || url.username.startsWith('-') || url.search !== '' || url.hash !== '') {
    throw new RefusedByPolicyError(
      'url',
      `The address of ${url.host} holds a query, a fragment or an option; use a plain one`,
    );
  }
  return { url: url.href, protocol, key: keyOf(url.href) };
}

/**
 * Checks an address before git sees it.
 *
 * @param text what the caller gave
 * @param allowed protocols of the manager
 * @throws {RefusedByPolicyError} {@link InvalidOptionError}
 */
export function parseRepository(text: string, allowed: readonly Protocol[]): RepositoryAddress {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must be refused.
  if (text === '' || /[\u0000-\u001f\u007f]/.test(text) || text.startsWith('-') || /^[a-z0-9+.-]+::/i.test(text)) {
    throw new RefusedByPolicyError('url', `Not an address that git may see: ${JSON.stringify(text.slice(0, 100))}`);
  }
  const address = isAbsolute(text) || /^\.{1,2}(\/|$)/.test(text) ? localAddress(text) : remoteAddress(text);
  if (!allowed.includes(address.protocol)) {
    throw new RefusedByPolicyError(
      'protocol',
      `Protocol "${address.protocol}" is not allowed here; add it to \`allowedProtocols\` if you trust it`,
    );
  }
  return address;
}

const commitId = /^([0-9a-f]{40}|[0-9a-f]{64})$/;

/** True for a full commit id (SHA-1 or SHA-256). */
export function isCommitId(ref: string): boolean {
  return commitId.test(ref);
}

/**
 * Checks a ref name by the rules of `git check-ref-format`, without asking git, so that no name can be an option or a
 * revision expression.
 *
 * @throws {RefusedByPolicyError} with rule `ref-name`
 */
export function checkRefName(name: string, option: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must be refused.
  const bad = /[\u0000-\u0020\u007f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|(^|\/)\.|\.lock(\/|$)|^@$|^$/;
  if (bad.test(name) || Buffer.byteLength(name) > 244) {
    throw new RefusedByPolicyError(
      'ref-name',
      `\`${option}\` is not a valid name of a ref: ${JSON.stringify(name.slice(0, 100))}`,
    );
  }
}

/** Checks directories of a sparse cone and gives them sorted, without slashes at the ends. */
export function checkSparse(directories: readonly string[]): readonly string[] {
  const clean = directories.map((directory) => directory.replace(/^\.?\/+|\/+$/g, ''));
  for (const directory of clean) {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are exactly what must be refused.
    if (directory === '' || /(^|\/)(\.\.?|\.git)(\/|$)|[\u0000-\u001f*?[\]\\!]/i.test(directory)) {
      throw new InvalidOptionError(
        'sparse',
        `must list plain directories of the repository, got ${JSON.stringify(directory)}`,
      );
    }
  }
  return [...new Set(clean)].sort();
}
