import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { MarkdownRenderer } from 'vitepress';

const root = join(import.meta.dirname, '..', '..');

type CoreRule = Parameters<MarkdownRenderer['core']['ruler']['push']>[1];
type State = Parameters<CoreRule>[0];
type Token = State['tokens'][number];

/**
 * Links are written for readers of the repository. On the site, one to a page of the site leads to it, also from a README that a page
 * includes; one to another file of the repository is text that names the file. One to nothing ends the build.
 */
export function linkToPages(markdown: MarkdownRenderer): void {
  markdown.core.ruler.push('millrace-links', (state) => {
    const { relativePath } = state.env as { readonly relativePath: string };
    if (relativePath.startsWith('api/')) return;
    for (const { children } of state.tokens) {
      for (const [index, token] of (children ?? []).entries()) {
        if (token.type === 'link_open') rewrite(token, children?.slice(index) ?? [], sourceOf(relativePath));
      }
    }
  });
}

/** The file that holds the text of a page. */
function sourceOf(page: string): string {
  return page.startsWith('packages/') ? page.replace(/\.md$/, '/README.md') : `docs/${page}`;
}

function rewrite(link: Token, following: readonly Token[], source: string): void {
  const href = link.attrGet('href') ?? '';
  if (href === '' || /^(?:[a-z]+:|#|\/)/i.test(href)) return;
  const [path = '', hash] = href.split('#');
  const target = posix.normalize(posix.join(posix.dirname(source), decodeURI(path)));
  if (!existsSync(join(root, target))) throw new Error(`${source} links to ${href}, which is not there.`);
  const page = pageOf(target);
  if (page !== undefined) {
    link.attrSet('href', hash === undefined ? page : `${page}#${hash}`);
    return;
  }
  const end = following.find(({ type }) => type === 'link_close');
  Object.assign(link, { type: 'source_open', tag: 'span', attrs: [['title', target]] });
  if (end !== undefined) Object.assign(end, { type: 'source_close', tag: 'span' });
}

function pageOf(file: string): string | undefined {
  const readme = /^packages\/([a-z]+)\/README\.md$/.exec(file);
  if (readme !== null) return `/packages/${readme[1]}`;
  const page = /^docs\/(.+)\.md$/.exec(file)?.[1];
  return page && `/${page.replace(/(^|\/)(?:README|index)$/, '$1')}`;
}
