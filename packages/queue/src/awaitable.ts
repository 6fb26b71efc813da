/**
 * A value that is there already, or will be. What every job passes through stays synchronous as long as schema and codec are:
 * a promise costs more than the work that it stands for.
 */
export type Awaitable<T> = T | Promise<T>;

/** `next(value)`, as soon as the value is there. */
export function chain<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** All values, in order. What `make` throws is rejected like a promise, so that none that is under way is left without a listener. */
export function gather<T, U>(items: readonly T[], make: (item: T) => Awaitable<U>): Awaitable<U[]> {
  let pending = false;
  const made = items.map((item) => {
    const value = caught(() => make(item));
    pending ||= value instanceof Promise;
    return value;
  });
  return pending ? Promise.all(made) : (made as U[]);
}

function caught<T>(make: () => Awaitable<T>): Awaitable<T> {
  try {
    return make();
  } catch (error) {
    return Promise.reject(error);
  }
}
