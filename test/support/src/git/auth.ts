/** What a client must present: HTTP basic authentication, or a token (as bearer, or as the password of any user). */
export type GitAuth = { readonly username: string; readonly password: string } | { readonly token: string };

/** Whether an Authorization header satisfies what is asked. */
export function authorized(header: string | undefined, auth: GitAuth | undefined): boolean {
  if (auth === undefined) return true;
  const [scheme = '', value = ''] = header?.split(' ') ?? [];
  if (scheme.toLowerCase() === 'bearer') return 'token' in auth && value === auth.token;
  if (scheme.toLowerCase() !== 'basic') return false;
  const [username, ...rest] = Buffer.from(value, 'base64').toString().split(':');
  const password = rest.join(':');
  return 'token' in auth ? password === auth.token : username === auth.username && password === auth.password;
}
