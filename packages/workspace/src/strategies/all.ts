import { InvalidOptionError } from '../errors.ts';
import type { StrategyName } from '../strategy.ts';
import { cloneStrategy } from './clone.ts';
import { overlayStrategy } from './overlay.ts';
import { poolStrategy } from './pool.ts';
import { snapshotStrategy } from './snapshot.ts';
import type { Strategy } from './strategy.ts';

const strategies: ReadonlyMap<StrategyName, Strategy> = new Map(
  [overlayStrategy, snapshotStrategy, poolStrategy, cloneStrategy].map((strategy) => [strategy.name, strategy]),
);

/** Names of all strategies, best first. */
export const strategyNames: readonly StrategyName[] = [...strategies.keys()];

/** The strategy of a name. @throws {InvalidOptionError} when there is none */
export function strategyNamed(name: StrategyName): Strategy {
  const strategy = strategies.get(name);
  if (strategy === undefined)
    throw new InvalidOptionError('strategy', `must be one of ${strategyNames.join(', ')}, got ${JSON.stringify(name)}`);
  return strategy;
}
