// An agent run in phases: the process "dies" after the branch was pushed; the next attempt does not push again.
import { createIdempotency, keyFrom } from '@millrace/idempotency';
import { memoryStore } from '@millrace/idempotency/memory';

const idempotency = createIdempotency({ store: memoryStore() });
const task = { repo: 'acme/api', prompt: 'fix #12' };
const request = { tenant: 'acme', operation: 'run-task', key: keyFrom('task-42', task), input: task };

async function runTask(dieBeforePullRequest: boolean) {
  const { value } = await idempotency.run(request, async ({ phase, derive, attempt }) => {
    const branch = await phase('push', () => {
      console.log(`attempt ${attempt}: pushing`);
      return 'millrace/run-1';
    });
    if (dieBeforePullRequest) throw new Error('out of memory');
    // The forge gets the same key in every attempt: it opens one pull request at most.
    const pullRequest = await phase(
      'pull-request',
      () => `PR for ${branch}, key ${derive('pull-request').slice(0, 6)}…`,
    );
    return { branch, pullRequest, attempt };
  });
  return value;
}

await runTask(true).catch((error: Error) => console.log(`attempt 1: ${error.message}`));
const { attempt, branch } = await runTask(false);
console.log(`attempt ${attempt}: done with ${branch}`);
await idempotency.close();
