import { sign } from '@octokit/webhooks-methods';
import { describe, expect, it } from 'vitest';
import { isSigned } from '../../src/ci/signature.ts';

const body = Buffer.from('{"zen":"Keep it logically awesome."}');

describe('the signature of a delivery', () => {
  it('is accepted as the reference implementation makes it, with the old and the new secret', async () => {
    expect(isSigned(body, await sign('new', body.toString()), ['new', 'old'])).toBe(true);
    expect(isSigned(body, await sign('old', body.toString()), ['new', 'old'])).toBe(true);
  });

  it('is refused for another secret, another body, no secret, and no or a malformed header', async () => {
    const good = await sign('secret', body.toString());
    expect(isSigned(body, good, ['other'])).toBe(false);
    expect(isSigned(Buffer.from('{}'), good, ['secret'])).toBe(false);
    expect(isSigned(body, good, [])).toBe(false);
    for (const header of [
      undefined,
      '',
      'sha256=',
      good.slice(7),
      good.toUpperCase(),
      `${good}00`,
      `sha1=${good.slice(7)}`,
    ]) {
      expect(isSigned(body, header, ['secret'])).toBe(false);
    }
  });
});
