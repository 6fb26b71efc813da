import type { ProviderOptions } from '@millrace/ratelimit/presets';
import { type FakeProvider, type FakeProviderOptions, startFakeProvider } from '@millrace/ratelimit/testing';
import { afterEach } from 'vitest';

/** Starts the provider of a test, which ends with the test. */
export function fakeProviders(): (options?: FakeProviderOptions) => Promise<FakeProvider> {
  const running: FakeProvider[] = [];
  afterEach(async () => {
    for (const provider of running.splice(0)) await provider.close();
  });
  return async (options) => {
    const provider = await startFakeProvider(options);
    running.push(provider);
    return provider;
  };
}

/** Retries that do not wait. */
export const quick: ProviderOptions = { retry: { maxAttempts: 6, backoff: () => 5 } };
