import { AuthError, LfsObjectNotFoundError, NetworkError, RefusedByPolicyError, RepoNotFoundError } from '../errors.ts';
import type { CredentialRequest, Protocol } from '../manager.ts';
import type { RepositoryAddress } from '../repository.ts';
import type { Services } from '../services.ts';
import type { LfsPointer } from './pointer.ts';

/** Something to do at an address that the server gave. */
export interface LfsAction {
  readonly href: string;
  readonly header?: Readonly<Record<string, string>>;
}

/** The server's answer about one object. */
export interface LfsAnswer extends LfsPointer {
  readonly actions?: Readonly<Partial<Record<'download' | 'upload' | 'verify', LfsAction>>>;
  readonly error?: { readonly code: number; readonly message: string };
}

/** A request of ours; the body is a text, or a stream of so many bytes. */
export interface LfsRequest {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ReadableStream<Uint8Array>;
}

/** A server of large files: the batch API and the basic transfer of git-lfs. */
export interface LfsServer {
  /** Address without credentials, for messages. */
  readonly url: string;
  /** Asks where objects are, or may be put. */
  batch(operation: 'download' | 'upload', objects: readonly LfsPointer[]): Promise<readonly LfsAnswer[]>;
  /** Follows an action. @throws when the answer is not 2xx */
  follow(action: LfsAction, request: LfsRequest): Promise<Response>;
}

const MEDIA = 'application/vnd.git-lfs+json';

/** Objects per question. */
const BATCH = 100;

/** Redirects that are followed, for actions only. */
const REDIRECTS = 5;

/** Headers that belong to the connection, whatever a server says. */
const OWN_HEADERS = new Set(['host', 'connection', 'content-length', 'transfer-encoding']);

/** The batch API of a repository, where git-lfs looks for it. What `.lfsconfig` says is not followed: anybody may write it. */
function endpointOf(url: string): string {
  const plain = url.replace(/\/+$/, '');
  return `${plain.endsWith('.git') ? plain : `${plain}.git`}/info/lfs`;
}

function checkAddress(text: string, allowed: readonly Protocol[]): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const protocol = url?.protocol.slice(0, -1);
  if (url === undefined || (protocol !== 'https' && protocol !== 'http') || !allowed.includes(protocol)) {
    throw new RefusedByPolicyError(
      'lfs-address',
      `The LFS server names an address that is not allowed (${protocol ?? 'none'}); see \`allowedProtocols\``,
    );
  }
  return url;
}

function failure(where: string, status: number): Error {
  const told = `${where} answered ${status}`;
  if (status === 401 || status === 403)
    return new AuthError(`${told}. Check what the credential provider answers for this address`);
  if (status === 404 || status === 410) return new RepoNotFoundError(`${told}. Check the address, and that it has LFS`);
  if (status === 507 || status === 413) return new RefusedByPolicyError('lfs-size', `${told}: too large for it`);
  return new NetworkError(`${told}. Try again later`);
}

async function send(url: URL, request: LfsRequest, signal: AbortSignal): Promise<Response> {
  // A stream has no length; servers of objects want to know it beforehand, so the caller says it in a header.
  const init = { ...request, redirect: 'manual', signal, ...(request.body ? { duplex: 'half' } : {}) } as RequestInit;
  try {
    return await fetch(url, init);
  } catch (error) {
    signal.throwIfAborted();
    throw new NetworkError(`${url.host} can not be reached. Try again later`, { cause: error });
  }
}

/** The credential of one repository, asked for when the server wants one, and kept in memory only. */
function credentialOf(
  { credentials }: Services,
  endpoint: URL,
  repo: RepositoryAddress,
  signal: AbortSignal,
): (operation: CredentialRequest['operation']) => Promise<string | undefined> {
  return async (operation) => {
    const answer = await credentials?.({
      operation,
      protocol: endpoint.protocol.slice(0, -1),
      host: endpoint.host,
      path: new URL(repo.url).pathname.slice(1),
      signal,
    });
    return answer && `Basic ${Buffer.from(`${answer.username}:${answer.password}`).toString('base64')}`;
  };
}

function headersOf(action: LfsAction): Record<string, string> {
  return Object.fromEntries(
    Object.entries(action.header ?? {}).filter(([name]) => !OWN_HEADERS.has(name.toLowerCase())),
  );
}

function withoutSecrets(headers: LfsRequest['headers']): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.toLowerCase() !== 'authorization'));
}

/** Opens the server of a repository for one operation. */
export function openLfsServer(services: Services, repo: RepositoryAddress, signal: AbortSignal): LfsServer {
  const { protocols } = services;
  const endpoint = checkAddress(endpointOf(repo.url), protocols);
  const ask = credentialOf(services, endpoint, repo, signal);
  let authorization: string | undefined;
  const post = async (operation: 'download' | 'upload', body: string): Promise<Response> => {
    const url = new URL(`${endpoint.href}/objects/batch`);
    const headers = { accept: MEDIA, 'content-type': MEDIA };
    const attempt = (): Promise<Response> =>
      send(url, { method: 'POST', headers: { ...headers, ...(authorization && { authorization }) }, body }, signal);
    const first = await attempt();
    if (first.status !== 401 || authorization !== undefined) return first;
    await first.body?.cancel();
    authorization = await ask(operation === 'upload' ? 'push' : 'fetch');
    signal.throwIfAborted();
    return authorization === undefined ? first : await attempt();
  };
  const batchOf = async (
    operation: 'download' | 'upload',
    objects: readonly LfsPointer[],
  ): Promise<readonly LfsAnswer[]> => {
    const question = { operation, transfers: ['basic'], hash_algo: 'sha256', objects };
    const response = await post(operation, JSON.stringify(question));
    if (!response.ok) throw failure(`The LFS server ${endpoint.href}`, response.status);
    return checkAnswers(await response.json().catch(() => undefined), objects, endpoint.href);
  };
  const follow = async (action: LfsAction, request: LfsRequest): Promise<Response> => {
    let url = checkAddress(action.href, protocols);
    let headers = { ...request.headers, ...headersOf(action) };
    const known = Object.keys(headers).some((name) => name.toLowerCase() === 'authorization');
    if (!known && url.origin === endpoint.origin && authorization !== undefined)
      headers = { ...headers, authorization };
    for (let redirects = 0; ; redirects += 1) {
      const response = await send(url, { ...request, headers }, signal);
      const target = response.headers.get('location');
      if (response.ok) return response;
      await response.body?.cancel();
      if (response.status < 300 || response.status > 399 || target === null) throw failure(url.host, response.status);
      if (redirects === REDIRECTS || request.method !== 'GET')
        throw new NetworkError(`${url.host} redirects again and again, or an upload`);
      const next = checkAddress(new URL(target, url).href, protocols);
      if (next.origin !== url.origin) headers = withoutSecrets(headers);
      url = next;
    }
  };
  return {
    url: endpoint.href,
    follow,
    batch: async (operation, objects) => {
      const answers: LfsAnswer[] = [];
      for (let at = 0; at < objects.length; at += BATCH)
        answers.push(...(await batchOf(operation, objects.slice(at, at + BATCH))));
      return answers;
    },
  };
}

/** Answers in the order of the questions. */
function checkAnswers(body: unknown, objects: readonly LfsPointer[], where: string): readonly LfsAnswer[] {
  const listed = (body as { objects?: unknown } | undefined)?.objects;
  const answers = new Map(
    (Array.isArray(listed) ? (listed as LfsAnswer[]) : []).map((answer) => [answer?.oid, answer]),
  );
  return objects.map((object) => {
    const answer = answers.get(object.oid);
    if (answer === undefined) throw new NetworkError(`${where} said nothing about ${object.oid}. Try again later`);
    const code = answer.error?.code;
    if (code === 404 || code === 410) {
      throw new LfsObjectNotFoundError(
        `${where} has no object ${object.oid} (${object.size} bytes). Push it there with \`git lfs push --all\``,
      );
    }
    if (code !== undefined) throw failure(`${where}, asked for ${object.oid},`, Number(code));
    return { ...object, ...(answer.actions && { actions: answer.actions }) };
  });
}
