export type { FakeLimits } from './testing/buckets.ts';
export {
  type FakeProvider,
  type FakeProviderOptions,
  type FakeProviderStats,
  type Fault,
  startFakeProvider,
} from './testing/fake-provider.ts';
export type { FakeGithubLimits } from './testing/github.ts';
export { scaledClock } from './testing/scaled-clock.ts';
export {
  type FullTurn,
  type ProviderApi,
  type ProviderRequest,
  type Respond,
  type ToolCall,
  type Turn,
  type TurnUsage,
  turns,
  writeFile,
} from './testing/turn.ts';
export type { Refusal } from './testing/wire.ts';
