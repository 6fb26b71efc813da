import {
  AuthError,
  CorruptRepoError,
  DiskFullError,
  DivergedError,
  GitFailedError,
  NetworkError,
  RefNotFoundError,
  RefusedByPolicyError,
  RepoNotFoundError,
  type WorkspaceError,
  type WorkspaceErrorOptions,
} from '../errors.ts';
import { redactedTail } from './redact.ts';

type ErrorKind = new (message: string, options?: WorkspaceErrorOptions) => WorkspaceError;

/** git's words, most telling first: one output may match several lines ("Authentication failed" comes with HTTP 401). */
const rules: readonly (readonly [pattern: RegExp, kind: ErrorKind, advice: string])[] = [
  // `unable to write file` is all that git says of a file that it could only write in part.
  [
    /no space left on device|disk quota exceeded|file too large|unable to write file/i,
    DiskFullError,
    'Free space or raise the quota',
  ],
  [
    /authentication failed|could not read (username|password)|terminal prompts disabled|permission denied \(publickey|\b(401|403)\b|invalid credentials|access denied/i,
    AuthError,
    'Check what the credential provider answers for this address',
  ],
  [
    /couldn't find remote ref|not our ref|no such (remote )?ref|unadvertised object|does not have any commits|remote did not send all necessary/i,
    RefNotFoundError,
    'Check the ref; it may have been deleted or rewritten',
  ],
  [
    /repository '.*' not found|\b404\b|does not (appear to be|exist)|repository not found|no such file or directory.*\.git|not a git repository|not a bundle|does not look like a v\d bundle/i,
    RepoNotFoundError,
    'Check the address and the rights of the credentials',
  ],
  [
    /could not resolve host|connection (refused|reset|timed out)|failed to connect|recv failure|send failure|early eof|unexpected disconnect|hung up unexpectedly|rpc failed|empty reply|operation too slow|network is unreachable|gnutls|ssl_|certificate|\b(50[0-4]|429)\b|unable to access|the remote end hung up|transfer closed|curl \d+/i,
    NetworkError,
    'Try again later',
  ],
  [
    /\[rejected\]|non-fast-forward|stale info|fetch first|failed to push some refs|cannot lock ref .* (is at|reference already exists)/i,
    DivergedError,
    'The branch of the remote holds something else; choose another branch or replace it on purpose',
  ],
  [
    /bad object|packed object .* is corrupt|object file .* is empty|loose object .* corrupt|packfile .* (cannot be accessed|does not match|is truncated)|inflate: data stream error|missing (blob|tree|commit)|unable to read (tree|sha1|[0-9a-f]{40})|garbage at end|broken link|invalid sha1 pointer|sha1 mismatch|hash mismatch|fatal: unable to parse|could not parse object|unable to find [0-9a-f]{40}|pack has \d+ unresolved/i,
    CorruptRepoError,
    'The mirror is replaced at the next try',
  ],
];

/** Gives a failed git process its typed error. Corruption that `fsck` finds in what a remote *sends* is a refusal. */
export function classifyFailure(what: string, stderr: string, exitCode: number | undefined): WorkspaceError {
  const tail = redactedTail(stderr);
  if (
    /fsck error|error in object|unable to checkout.*invalid path|invalid path '|transport '.*' not allowed|unsafe repository|dubious ownership/i.test(
      stderr,
    )
  ) {
    return new RefusedByPolicyError('hostile-content', `${what}: git refused unsafe content.\n${tail}`, {
      stderr: tail,
    });
  }
  for (const [pattern, Kind, advice] of rules) {
    if (pattern.test(stderr)) return new Kind(`${what} failed. ${advice}.\n${tail}`, { stderr: tail });
  }
  return new GitFailedError(`${what} failed with exit code ${exitCode ?? 'none (killed)'}.\n${tail}`, { stderr: tail });
}
