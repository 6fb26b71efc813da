/**
 * The locked-down settings under which the host runs git. They come by environment (`GIT_CONFIG_COUNT`), because that
 * beats whatever a repository's own configuration says, and never by argv, where `ps` shows them. The same settings
 * are written to a file for `GIT_CONFIG_GLOBAL`, because git removes the counted ones from the environment of the
 * processes that it starts in *another* repository (upload-pack of a local remote, submodules).
 */
export type GitSettings = Readonly<Record<string, string>>;

/** Settings for every git process of the host, for a repository that nobody trusts. */
export function hostSettings(options: {
  readonly symlinks: boolean;
  readonly protocols: readonly string[];
}): GitSettings {
  const allowed = Object.fromEntries(options.protocols.map((name) => [`protocol.${name}.allow`, 'always']));
  return {
    'core.hooksPath': '/dev/null',
    'core.fsmonitor': 'false',
    'core.symlinks': String(options.symlinks),
    'core.protectHFS': 'true',
    'core.protectNTFS': 'true',
    'core.attributesFile': '/dev/null',
    'core.excludesFile': '/dev/null',
    'core.askPass': '',
    'core.autocrlf': 'false',
    'core.editor': 'false',
    'core.pager': 'cat',
    'core.alternateRefsCommand': 'exit 0 #',
    'core.sshCommand': 'ssh -oBatchMode=yes',
    'credential.helper': '',
    'diff.ignoreSubmodules': 'all',
    'gc.auto': '0',
    'maintenance.auto': 'false',
    'gpg.program': 'false',
    'commit.gpgSign': 'false',
    'tag.gpgSign': 'false',
    'push.gpgSign': 'false',
    'index.version': '2',
    'advice.detachedHead': 'false',
    'init.defaultBranch': 'main',
    'init.templateDir': '',
    'submodule.recurse': 'false',
    'fetch.recurseSubmodules': 'false',
    'push.recurseSubmodules': 'no',
    'transfer.fsckObjects': 'true',
    'transfer.bundleURI': 'false',
    'http.followRedirects': 'initial',
    'safe.bareRepository': 'explicit',
    'safe.directory': '*',
    'protocol.allow': 'never',
    ...allowed,
  };
}

/** Settings for the file: those of every process, and what makes nothing less safe when a repository says otherwise. */
export function fileSettings(options: Parameters<typeof hostSettings>[0]): GitSettings {
  return { ...hostSettings(options), ...toleratedFindings };
}

/**
 * Findings of fsck that old but honest repositories have, and that endanger nobody. They are half of all settings, and each
 * process of git takes a quarter of a millisecond to read seventy of them from its environment.
 */
const toleratedFindings: GitSettings = Object.fromEntries(
  [
    'badDate',
    'badDateOverflow',
    'badEmail',
    'badName',
    'badTimezone',
    'missingEmail',
    'missingNameBeforeEmail',
    'missingSpaceBeforeDate',
    'missingSpaceBeforeEmail',
    'missingTaggerEntry',
    'zeroPaddedDate',
    'zeroPaddedFilemode',
    'multipleAuthors',
  ].flatMap((finding) => ['fsck', 'fetch.fsck', 'receive.fsck'].map((section) => [`${section}.${finding}`, 'ignore'])),
);

/**
 * The settings as `GIT_CONFIG_COUNT`, `GIT_CONFIG_KEY_n`, `GIT_CONFIG_VALUE_n`.
 *
 * @param settings what is added
 * @param counted number of settings that are in the environment already
 */
export function settingsEnvironment(settings: GitSettings, counted = 0): Record<string, string> {
  const entries = Object.entries(settings);
  const environment: Record<string, string> = { GIT_CONFIG_COUNT: String(counted + entries.length) };
  entries.forEach(([key, value], index) => {
    environment[`GIT_CONFIG_KEY_${counted + index}`] = key;
    environment[`GIT_CONFIG_VALUE_${counted + index}`] = value;
  });
  return environment;
}

/** How many settings every call carries already, so that a call can append its own. */
export function settingsCount(services: { readonly symlinks: boolean; readonly protocols: readonly string[] }): number {
  return Object.keys(hostSettings(services)).length;
}

/** The settings as the text of a configuration file. */
export function settingsFile(settings: GitSettings): string {
  const lines = Object.entries(settings).map(([key, value]) => {
    const first = key.indexOf('.');
    const last = key.lastIndexOf('.');
    const subsection = first === last ? '' : ` "${key.slice(first + 1, last)}"`;
    return `[${key.slice(0, first)}${subsection}]\n\t${key.slice(last + 1)} = "${value.replace(/["\\]/g, '\\$&')}"`;
  });
  return `${lines.join('\n')}\n`;
}

/** What a process of git or of an agent gets from the manager's own environment: nothing that could be a secret. */
export function cleanEnvironment(home: string): Record<string, string> {
  const environment: Record<string, string> = { HOME: home, LANG: 'C.UTF-8', LC_ALL: 'C.UTF-8' };
  for (const name of ['PATH', 'TMPDIR', 'SSL_CERT_FILE', 'SSL_CERT_DIR', 'GIT_EXEC_PATH', 'SSH_AUTH_SOCK']) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return environment;
}

/** The whole environment of one of the host's git processes. */
export function hostEnvironment(
  home: string,
  globalConfig: string,
  settings: GitSettings,
  protocols: readonly string[],
): Record<string, string> {
  return {
    ...cleanEnvironment(home),
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: globalConfig,
    GIT_ATTR_NOSYSTEM: '1',
    GIT_TERMINAL_PROMPT: '0',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_MERGE_AUTOEDIT: 'no',
    GIT_ALLOW_PROTOCOL: protocols.join(':') || 'none',
    ...settingsEnvironment(settings),
  };
}
