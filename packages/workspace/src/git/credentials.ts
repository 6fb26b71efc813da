import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Credential, CredentialProvider, CredentialRequest } from '../manager.ts';
import { shellWord } from '../shell-word.ts';
import { settingsEnvironment } from './environment.ts';

/**
 * The helper that git starts: it hands git's question to the manager's socket and prints the answer. The credential
 * goes through the socket and a pipe only: never argv, environment, configuration or disk.
 */
const helperProgram =
  "const s=require('net').connect(process.env.MILLRACE_CREDENTIAL_SOCKET);" +
  'process.stdin.on("data",d=>s.write(d)).on("end",()=>s.write("\\n"));s.pipe(process.stdout);s.on("error",()=>process.exit(1))';

/** Characters of a question at most. */
const MAX_QUESTION = 16_384;

/** A socket that answers git's questions for the time of one operation. */
export interface CredentialSocket extends AsyncDisposable {
  /** Variables for the git process. Holds nothing secret: the socket lies in a folder that only this user may enter. */
  readonly env: Readonly<Record<string, string>>;
}

function parseQuestion(text: string): Map<string, string> {
  return new Map(
    text.split('\n').flatMap((line) => {
      const at = line.indexOf('=');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
}

function answerText(credential: Credential | undefined): string {
  // "quit" stops git from asking a terminal or another helper.
  if (credential === undefined || /[\n\0]/.test(credential.username + credential.password)) return 'quit=1\n';
  return `username=${credential.username}\npassword=${credential.password}\n`;
}

/** Reads git's question up to its empty line; the socket stays open for the answer. */
function readQuestion(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      text += chunk;
      if (text.includes('\n\n') || text.length > MAX_QUESTION) resolve(text);
    });
    socket.once('end', () => resolve(text));
    socket.once('error', reject);
  });
}

async function answer(
  socket: Socket,
  provider: CredentialProvider,
  base: Pick<CredentialRequest, 'operation'> & { signal?: AbortSignal | undefined },
): Promise<void> {
  const text = await readQuestion(socket);
  const question = parseQuestion(text);
  const credential = await provider({
    operation: base.operation,
    protocol: question.get('protocol') ?? '',
    host: question.get('host') ?? '',
    path: question.get('path') ?? '',
    ...(base.signal ? { signal: base.signal } : {}),
  });
  socket.end(answerText(credential));
}

function helperCommand(): string {
  return `!f() { test "$1" = get && exec ${shellWord(process.execPath)} -e ${shellWord(helperProgram)}; }; f`;
}

/**
 * Opens the socket.
 *
 * @param provider the user's answer
 * @param operation what is going on
 * @param counted number of settings that are in the environment already (`GIT_CONFIG_COUNT`)
 * @param signal the operation's own
 */
export async function openCredentialSocket(
  provider: CredentialProvider,
  operation: 'fetch' | 'push',
  counted: number,
  signal?: AbortSignal,
): Promise<CredentialSocket> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-'));
  const path = join(folder, randomBytes(8).toString('hex'));
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on('error', () => undefined);
    // A provider that fails is a missing credential: git then reports that it could not log in.
    answer(socket, provider, { operation, signal }).catch(() => socket.end('quit=1\n'));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve));
  server.unref();
  return {
    env: {
      MILLRACE_CREDENTIAL_SOCKET: path,
      ...settingsEnvironment({ 'credential.helper': helperCommand(), 'credential.useHttpPath': 'true' }, counted),
    },
    [Symbol.asyncDispose]: async () => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await rm(folder, { recursive: true, force: true });
    },
  };
}
