// The API pages of the documentation site: every public entry of every package, as package.json exports it.
import { readdirSync, readFileSync } from 'node:fs';

const entryPoints = readdirSync('packages').flatMap((name) => {
  const { exports } = JSON.parse(readFileSync(`packages/${name}/package.json`, 'utf8'));
  return Object.values(exports)
    .map((target) => target['@millrace/source'])
    .filter(Boolean)
    .map((source) => `packages/${name}/${source}`);
});

/** @type {import('typedoc').TypeDocOptions & import('typedoc-plugin-markdown').PluginOptions} */
const options = {
  entryPoints,
  tsconfig: 'docs/tsconfig.json',
  out: 'docs/api',
  plugin: ['typedoc-plugin-markdown'],
  readme: 'none',
  name: 'API',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  disableSources: true,
  githubPages: false,
  excludePrivate: true,
  excludeExternals: true,
  skipErrorChecking: true,
};

export default options;
