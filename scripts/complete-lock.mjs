// Adds to package-lock.json the optional packages of other platforms that the registry did not answer for.
// npm leaves out of the lock what it cannot look up, and then `npm ci` refuses that lock on every machine; some mirrors
// serve only what their own platforms need. Run it after `npm install` when test/tree.test.ts says so.
// An entry made here has no integrity: npm fills that in on the first install that fetches the package.
import { readFileSync, writeFileSync } from 'node:fs';

const PATH = 'package-lock.json';
const SYSTEMS = ['aix', 'android', 'darwin', 'freebsd', 'linux', 'netbsd', 'openbsd', 'openharmony', 'sunos', 'win32'];
const PROCESSORS = ['arm', 'arm64', 'ia32', 'loong64', 'mips64el', 'ppc64', 'riscv64', 's390x', 'x64', 'wasm32'];

const lock = JSON.parse(readFileSync(PATH, 'utf8'));
const added = [];
for (const [owner, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (isLocked(owner, name)) continue;
    const path = `node_modules/${name}`;
    lock.packages[lock.packages[path] ? `${owner}/${path}` : path] = platformEntry(name, version, entry);
    added.push(`${name}@${version}`);
  }
}
if (added.length > 0) {
  lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => a.localeCompare(b, 'en')));
  writeFileSync(PATH, `${JSON.stringify(lock, null, 2)}\n`);
}
process.stdout.write(`${added.length} entries added${added.map((name) => `\n  ${name}`).join('')}\n`);

/** Node's lookup: a node_modules folder beside the owner, or in any folder around it. */
function isLocked(owner, name) {
  const folders = owner.split('/');
  return [...folders.keys(), folders.length].some((depth) =>
    Boolean(lock.packages[[...folders.slice(0, depth), 'node_modules', name].filter(Boolean).join('/')]),
  );
}

/** The platform stands in the name, as in `@rollup/rollup-linux-arm64-musl`. */
function platformEntry(name, version, { dev, devOptional }) {
  const words = name.split(/[-/]/);
  const os = words.filter((word) => SYSTEMS.includes(word));
  const cpu = words.filter((word) => PROCESSORS.includes(word));
  const libc = words.some((word) => word.startsWith('musl'))
    ? ['musl']
    : words.some((word) => word.startsWith('gnu'))
      ? ['glibc']
      : [];
  if (os.length + cpu.length === 0 || !/^\d+\.\d+\.\d+/.test(version)) {
    throw new Error(
      `${name}@${version} is not named after a platform or has no exact version: add it by "npm install".`,
    );
  }
  return {
    version,
    ...(cpu.length > 0 && { cpu }),
    ...(dev && { dev }),
    ...(devOptional && { devOptional }),
    ...(libc.length > 0 && os.includes('linux') && { libc }),
    optional: true,
    ...(os.length > 0 && { os }),
  };
}
