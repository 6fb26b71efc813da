/** A repository of GitHub by its current name. */
export interface GithubRepo {
  readonly owner: string;
  readonly repo: string;
}

/**
 * The repository that an address names (`https://github.com/o/r.git`, `ssh://git@github.com/o/r`, `git@github.com:o/r`);
 * `undefined` when it is not one of the server at `webUrl`.
 */
export function githubRepoOf(address: string, webUrl: string): GithubRepo | undefined {
  const web = new URL(webUrl);
  const scp = /^[\w.-]+@([\w.-]+):(.+)$/.exec(address);
  const url = scp ? undefined : parseUrl(address);
  const host = scp?.[1] ?? (url?.protocol === 'ssh:' ? url.hostname : url?.host);
  const expected = scp || url?.protocol === 'ssh:' ? web.hostname : web.host;
  if (host?.toLowerCase() !== expected.toLowerCase()) return undefined;
  const path = scp?.[2] ?? url?.pathname.slice(1) ?? '';
  const [, owner, repo] = /^([\w.-]+)\/([\w.-]+?)(?:\.git)?\/?$/.exec(path) ?? [];
  return owner && repo ? { owner, repo } : undefined;
}

function parseUrl(address: string): URL | undefined {
  return URL.canParse(address) ? new URL(address) : undefined;
}
