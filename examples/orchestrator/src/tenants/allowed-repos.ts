import { isAbsolute, resolve } from 'node:path';

/**
 * Whether an address is one of those a tenant may use, or lies below one: `https://github.com/acme` allows
 * `https://github.com/acme/app.git` and not `https://github.com/acme-corp/app`. Addresses are compared as whoever uses
 * them resolves them, so that `..` leads nowhere else.
 *
 * @param allowed - null allows every address
 */
export function mayUseRepo(allowed: readonly string[] | null, address: string): boolean {
  if (allowed === null) return true;
  const wanted = resolved(address);
  if (wanted.split(/[/:]/).includes('..')) return false;
  return allowed
    .map(resolved)
    .some((base) => wanted === base || wanted.startsWith(base.endsWith('/') ? base : `${base}/`));
}

function resolved(address: string): string {
  if (isAbsolute(address)) return resolve(address);
  return URL.canParse(address) ? new URL(address).href : address;
}
