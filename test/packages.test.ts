import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Options } from 'tsup';
import { preProcessFile } from 'typescript';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '..', 'packages');

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(join(root, name, 'package.json'), 'utf8')) as Manifest;
}

function sourcesOf(name: string): string[] {
  return readdirSync(join(root, name, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.m?[tj]s$/.test(file))
    .map((file) => join(root, name, 'src', file));
}

/** Module names in `import … from`, `export … from` and `import('…')`; examples in comments and texts of scripts are none. */
function importsOf(file: string): string[] {
  return preProcessFile(readFileSync(file, 'utf8')).importedFiles.map(({ fileName }) => fileName);
}

describe.each(readdirSync(root))('packages/%s', (name) => {
  const manifest = manifestOf(name);

  test('imports no other package of this repository', () => {
    const others = sourcesOf(name).flatMap((file) =>
      importsOf(file)
        .filter((module) => module.startsWith('@millrace/') && !`${module}/`.startsWith(`${manifest.name}/`))
        .map((module) => `${file}: ${module}`),
    );
    const declared = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
    expect([...others, ...declared.filter((module) => module.startsWith('@millrace/'))]).toEqual([]);
  });

  test('imports nothing that it does not declare', () => {
    const declared = new Set(
      Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies, [manifest.name]: '' }),
    );
    const missing = sourcesOf(name).flatMap((file) =>
      importsOf(file)
        .filter((module) => !module.startsWith('.') && !module.startsWith('node:'))
        .map((module) =>
          module
            .split('/')
            .slice(0, module.startsWith('@') ? 2 : 1)
            .join('/'),
        )
        .filter((module) => !declared.has(module))
        .map((module) => `${file}: ${module}`),
    );
    expect(missing).toEqual([]);
  });

  test('builds exactly what it exports', async () => {
    const { default: config } = (await import(join(root, name, 'tsup.config.ts'))) as { default: Options };
    const built = Object.entries(config.entry as Record<string, string>).map(([output, source]) => ({
      '@millrace/source': `./${source}`,
      types: `./dist/${output}.d.ts`,
      default: `./dist/${output}.js`,
    }));
    const exported = Object.entries(manifest.exports).flatMap(([path, target]) =>
      path.endsWith('.json') || typeof target === 'string' ? [] : [target],
    );
    const byName = (a: { default?: string }, b: { default?: string }): number =>
      (a.default ?? '').localeCompare(b.default ?? '');
    // A built file that is no export is one that the code loads by path (a worker thread).
    expect([...built].sort(byName)).toEqual(expect.arrayContaining([...exported].sort(byName)));
    for (const { '@millrace/source': source } of built) expect(existsSync(join(root, name, source)), source).toBe(true);
  });

  test('carries the licence, which npm packs with it', () => {
    const licence = (folder: string): string => readFileSync(join(folder, 'LICENSE'), 'utf8');
    expect(licence(join(root, name))).toBe(licence(join(root, '..')));
  });

  test('leaves every client to its user: peers are optional', () => {
    const required = Object.keys(manifest.peerDependencies ?? {}).filter(
      (peer) => manifest.peerDependenciesMeta?.[peer]?.optional !== true,
    );
    expect(required).toEqual([]);
  });
});
