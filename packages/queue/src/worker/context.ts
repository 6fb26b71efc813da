import type { Codec } from '../codec.ts';
import { decodeValue } from '../codec.ts';
import type { ChildView } from '../contract/job.ts';
import { toMilliseconds } from '../duration.ts';
import { InvalidOptionError, SnoozeError, StaleLeaseError } from '../errors.ts';
import type { ChildResult, HandlerContext } from '../handler.ts';
import type { Attempt } from './attempt.ts';

/** What a context needs from its worker. */
export interface ContextParts {
  readonly codec: Codec;
  /** Something is to be told to the store with the next exchange. */
  readonly changed: (attempt: Attempt) => void;
  readonly extend: (attempt: Attempt, visibility: number) => Promise<void>;
  readonly children: (parentId: string) => Promise<readonly ChildView[]>;
}

/** Creates what a handler is given beside the job. */
export function createContext(parts: ContextParts, attempt: Attempt): HandlerContext {
  const { job } = attempt;
  return {
    get signal() {
      return attempt.signal;
    },
    fence: job.fence,
    attempt: job.attempt,
    jobId: job.id,
    traceparent: job.traceparent,
    progress: (value) => {
      attempt.touch();
      attempt.progress = { value };
      parts.changed(attempt);
    },
    log: (reference) => {
      if (typeof reference !== 'string' || reference.length < 1 || reference.length > 200) {
        throw new InvalidOptionError(
          'ctx.log() takes a reference of 1 to 200 characters; keep the log itself elsewhere.',
        );
      }
      attempt.logs.push(reference);
      parts.changed(attempt);
    },
    touch: () => attempt.touch(),
    extend: (duration) => {
      if (attempt.over) return Promise.reject(new StaleLeaseError(job.id, job.fence));
      return parts.extend(attempt, toMilliseconds(duration, 'extend'));
    },
    cost: (units) => {
      if (!Number.isSafeInteger(units) || units < 0) {
        throw new InvalidOptionError('ctx.cost() takes a non-negative integer of cost units.');
      }
      attempt.cost = units;
    },
    snooze: (duration) => {
      throw new SnoozeError(toMilliseconds(duration, 'snooze'));
    },
    children: async () => {
      if (!job.hasChildren) return [];
      const children = await parts.children(job.id);
      return Promise.all(children.map((child) => decodeChild(parts.codec, child)));
    },
  };
}

async function decodeChild(codec: Codec, child: ChildView): Promise<ChildResult> {
  return {
    id: child.id,
    name: child.name,
    state: child.state,
    ...(child.result !== undefined && { result: await decodeValue(codec, child.result) }),
    ...(child.failure !== undefined && { error: child.failure.message }),
  };
}
