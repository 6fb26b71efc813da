/** Octokit behind GitHub's limits, against a fake GitHub so that it runs anywhere: npx tsx examples/ratelimit/github.ts */
import { github } from '@millrace/ratelimit/presets';
import { startFakeProvider } from '@millrace/ratelimit/testing';
import { Octokit } from 'octokit';

await using provider = await startFakeProvider();

const hub = github({ account: 'installation-42' }); // one account per installation or token
const octokit = new Octokit({
  auth: 'token',
  baseUrl: provider.url, // leave it out for the real one
  request: { fetch: hub.fetch },
  throttle: { enabled: false }, // the preset does both, for all processes
  retry: { enabled: false },
});

const repo = { owner: 'acme', repo: 'api' };
await octokit.request('GET /repos/{owner}/{repo}', repo);
const again = await octokit.request('GET /repos/{owner}/{repo}', repo); // 304: free
console.log('remaining', again.headers['x-ratelimit-remaining']);

const open = (title: string) => octokit.request('POST /repos/{owner}/{repo}/issues', { ...repo, title });
const both = Promise.all([open('first'), open('second')]); // a second apart, as GitHub asks
await new Promise((resolve) => setTimeout(resolve, 100));
console.log(hub.line().map(({ waitingFor }) => waitingFor));
console.log((await both).map(({ status }) => status));
