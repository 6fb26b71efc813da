import { readConfig } from '../config.ts';
import { startOrchestrator } from '../server.ts';

/** A server the demo can use, whoever started it. */
export interface DemoServer extends AsyncDisposable {
  readonly url: string;
  /** True when the demo started it and stops it again. */
  readonly own: boolean;
}

/** The server at PORT when one answers there, else one in this very process on a free port, on the same data. */
export async function findServer(): Promise<DemoServer> {
  const config = readConfig(process.env);
  const url = process.env.MILLRACE_URL ?? `http://${config.host}:${config.port}`;
  if (await answers(url)) return { url, own: false, [Symbol.asyncDispose]: async () => {} };
  const server = await startOrchestrator({ ...config, port: 0, logLevel: process.env.LOG_LEVEL ?? 'warn' });
  return { url: server.url, own: true, [Symbol.asyncDispose]: () => server.close() };
}

async function answers(url: string): Promise<boolean> {
  const response = await fetch(`${url}/livez`, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
  return response?.ok === true;
}
