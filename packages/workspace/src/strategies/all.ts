import { InvalidOptionError } from '../errors.ts';
import type { StrategyName } from '../strategy.ts';
import { cloneStrategy } from './clone.ts';
import { overlayStrategy } from './overlay.ts';
import { poolStrategy } from './pool.ts';
import { snapshotStrategy } from './snapshot.ts';
import type { Strategy } from './strategy.ts';
import { worktreeStrategy } from './worktree.ts';

const strategies: ReadonlyMap<StrategyName, Strategy> = new Map(
  [overlayStrategy, snapshotStrategy, poolStrategy, cloneStrategy, worktreeStrategy].map((strategy) => [
    strategy.name,
    strategy,
  ]),
);

/** Strategies that are tried when nobody names any, best first; worktrees are asked for. */
export const defaultStrategies: readonly StrategyName[] = [...strategies.keys()].filter((name) => name !== 'worktree');

/** The strategy of a name. @throws {InvalidOptionError} when there is none */
export function strategyNamed(name: StrategyName): Strategy {
  const strategy = strategies.get(name);
  if (strategy === undefined)
    throw new InvalidOptionError(
      'strategy',
      `must be one of ${[...strategies.keys()].join(', ')}, got ${JSON.stringify(name)}`,
    );
  return strategy;
}
