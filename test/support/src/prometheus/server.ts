import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryDirectory } from '../files.ts';
import { freePort } from '../ports.ts';
import { startServerProcess } from '../process/server-process.ts';
import { waitFor } from '../wait.ts';
import { prometheusPrograms } from './programs.ts';

/** A Prometheus that scrapes one target every second. */
export interface Prometheus extends AsyncDisposable {
  /** Answers of an instant query. */
  query(
    expr: string,
  ): Promise<
    readonly { readonly metric: Readonly<Record<string, string>>; readonly value: readonly [number, string] }[]
  >;
  /** Answers of any path of its HTTP API. */
  get(path: string): Promise<unknown>;
}

/** Starts a real Prometheus on a port of 127.0.0.1, with a file of rules, that scrapes the `/metrics` of one address. */
export async function startPrometheus({
  target,
  rules,
}: {
  /** `host:port`. */
  readonly target: string;
  /** Path of the file. */
  readonly rules: string;
}): Promise<Prometheus> {
  const { prometheus } = await prometheusPrograms();
  const folder = await temporaryDirectory('prometheus');
  const port = await freePort();
  const config = join(folder.path, 'prometheus.yml');
  await writeFile(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [rules],
      scrape_configs: [{ job_name: 'example', static_configs: [{ targets: [target] }] }],
    }),
  );
  const data = join(folder.path, 'data');
  const server = await startServerProcess({
    command: prometheus,
    args: [
      ...[`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
      '--enable-feature=exemplar-storage',
    ],
    cwd: folder.path,
    log: join(folder.path, 'server.log'),
  });
  const get = async (path: string): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return ((await response.json()) as { readonly data: unknown }).data;
  };
  const ready = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
  await waitFor(ready, { timeout: 30_000, what: 'Prometheus' });
  return {
    get,
    query: async (expr) => ((await get(`/api/v1/query?query=${encodeURIComponent(expr)}`)) as { result: [] }).result,
    [Symbol.asyncDispose]: async () => {
      await server.signal('SIGTERM');
      await folder[Symbol.asyncDispose]();
    },
  };
}
