import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type DefaultTheme, defineConfig } from 'vitepress';
import { linkToPages } from './links.ts';

const docs = join(import.meta.dirname, '..');

/** The pages of a folder, by file name; a page's first heading is its title. */
function pagesOf(folder: string): DefaultTheme.SidebarItem[] {
  const path = join(docs, folder);
  if (!existsSync(path)) return [];
  return readdirSync(path)
    .filter((file) => file.endsWith('.md') && !['index.md', 'README.md'].includes(file))
    .sort()
    .map((file) => ({ text: titleOf(join(path, file)), link: `/${join(folder, basename(file, '.md'))}` }));
}

function titleOf(file: string): string {
  return /^#\s+(.+)$/m.exec(readFileSync(file, 'utf8'))?.[1]?.replaceAll('`', '') ?? basename(file, '.md');
}

/** A group of the sidebar; it is left out while it has no page. */
function group(text: string, items: DefaultTheme.SidebarItem[], collapsed = false): DefaultTheme.SidebarItem[] {
  return items.length === 0 ? [] : [{ text, items, collapsed }];
}

const introduction = ['introduction', 'words'];
const guides = pagesOf('.').filter(({ link = '' }) => !introduction.includes(link.slice(1)));

export default defineConfig({
  title: 'Millrace',
  description: 'Scaling primitives for services that run many AI coding agents.',
  cleanUrls: true,
  // A folder's README is its first page.
  rewrites: { ':folder(.*)/README.md': ':folder/index.md' },
  ignoreDeadLinks: [/^https?:\/\/(?:localhost|127\.0\.0\.1)/],
  markdown: { config: linkToPages },
  themeConfig: {
    search: { provider: 'local' },
    nav: [
      { text: 'Introduction', link: '/introduction' },
      { text: 'Packages', link: '/packages/queue' },
      { text: 'Orchestrator', link: '/orchestrator' },
      { text: 'API', link: '/api/' },
    ],
    sidebar: [
      ...group(
        'Introduction',
        introduction.map((name) => ({ text: titleOf(join(docs, `${name}.md`)), link: `/${name}` })),
      ),
      ...group(
        'Packages',
        ['queue', 'ratelimit', 'workspace', 'idempotency', 'observability'].map((name) => ({
          text: name,
          link: `/packages/${name}`,
        })),
      ),
      ...group('Guides', [...guides, ...pagesOf('guides')]),
      ...group('Adapters and stores', pagesOf('adapters')),
      ...group('Operations', pagesOf('operations')),
      ...group('Runbooks', pagesOf('operations/runbooks'), true),
      ...group('Benchmarks', pagesOf('benchmarks')),
      ...group('Decisions', pagesOf('decisions'), true),
    ],
  },
});
