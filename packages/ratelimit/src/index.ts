export * from './clock.ts';
export { createContext } from './context.ts';
export { type Duration, toMilliseconds } from './duration.ts';
export * from './errors.ts';
export * from './instrumentation.ts';
export * from './policy.ts';
export * from './store.ts';
export { compose, wrap } from './wrap.ts';
