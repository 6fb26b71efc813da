export type { Clock } from './clock.ts';
export { createWorkspaceManager } from './create-manager.ts';
export { type Duration, InvalidDurationError } from './duration.ts';
export * from './errors.ts';
export type {
  CheckedOutEvent,
  CheckoutFailedEvent,
  CheckoutInfo,
  DisposedEvent,
  EvictedEvent,
  FetchedEvent,
  FetchInfo,
  GaugesEvent,
  HealedEvent,
  WorkspaceInstrumentation,
} from './instrumentation.ts';
export type * from './manager.ts';
export type { StrategyName, StrategyProbe } from './strategy.ts';
export type * from './workspace.ts';
