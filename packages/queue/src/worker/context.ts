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
  return new JobContext(parts, attempt);
}

/** Methods are made when they are asked for, bound, so that a handler may take them apart: most use none, and eight closures a job cost more than the job. */
class JobContext implements HandlerContext {
  readonly #parts: ContextParts;
  readonly #attempt: Attempt;
  readonly fence: number;
  readonly attempt: number;
  readonly jobId: string;
  readonly traceparent: string | undefined;

  constructor(parts: ContextParts, attempt: Attempt) {
    const { job } = attempt;
    this.#parts = parts;
    this.#attempt = attempt;
    this.fence = job.fence;
    this.attempt = job.attempt;
    this.jobId = job.id;
    this.traceparent = job.traceparent;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  get progress(): HandlerContext['progress'] {
    return (value) => {
      this.#attempt.touch();
      this.#attempt.progress = { value };
      this.#parts.changed(this.#attempt);
    };
  }

  get log(): HandlerContext['log'] {
    return (reference) => {
      if (typeof reference !== 'string' || reference.length < 1 || reference.length > 200) {
        throw new InvalidOptionError(
          'ctx.log() takes a reference of 1 to 200 characters; keep the log itself elsewhere.',
        );
      }
      this.#attempt.logs ??= [];
      this.#attempt.logs.push(reference);
      this.#parts.changed(this.#attempt);
    };
  }

  get touch(): HandlerContext['touch'] {
    return () => this.#attempt.touch();
  }

  get extend(): HandlerContext['extend'] {
    return (duration) => {
      const attempt = this.#attempt;
      if (attempt.over) return Promise.reject(new StaleLeaseError(attempt.job.id, attempt.job.fence));
      return this.#parts.extend(attempt, toMilliseconds(duration, 'extend'));
    };
  }

  get cost(): HandlerContext['cost'] {
    return (units) => {
      if (!Number.isSafeInteger(units) || units < 0) {
        throw new InvalidOptionError('ctx.cost() takes a non-negative integer of cost units.');
      }
      this.#attempt.cost = units;
    };
  }

  get snooze(): HandlerContext['snooze'] {
    return (duration) => {
      throw new SnoozeError(toMilliseconds(duration, 'snooze'));
    };
  }

  get children(): HandlerContext['children'] {
    return async () => {
      const { job } = this.#attempt;
      if (!job.hasChildren) return [];
      const children = await this.#parts.children(job.id);
      return Promise.all(children.map((child) => decodeChild(this.#parts.codec, child)));
    };
  }
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
