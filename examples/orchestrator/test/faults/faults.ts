import { setTimeout as sleep } from 'node:timers/promises';
import type { Deployment, Role } from './deployment.ts';

/** Makes something go wrong while runs are under way. `turn` has several processes of a role die in turn. */
type Strike = (deployment: Deployment, turn: number) => Promise<void>;

/** Strikes that come one after the other under one load. */
export interface Ordeal {
  readonly name: string;
  readonly strikes: readonly Strike[];
  /** Runs are at the fake GitHub and wait for their checks. @default false */
  readonly withChecks?: boolean;
}

/** How long a store stays away (milliseconds): long enough for statements to fail, not only to wait. */
const absence = 500;

type Store = 'redis' | 'nats' | 'postgres';

async function crash(deployment: Deployment, stores: readonly Store[], names: readonly string[] = []): Promise<void> {
  await Promise.all([...stores.map((store) => deployment[store].crash()), ...names.map(deployment.kill)]);
  if (stores.length > 0) await sleep(absence);
  await Promise.all(stores.map((store) => deployment[store].restart()));
  await Promise.all(names.map(deployment.start));
}

/** One process of each role, another one each time. */
function victims(deployment: Deployment, turn: number, roles: readonly Role[]): string[] {
  return roles.map((role) => {
    const names = deployment.named(role);
    return names[turn % names.length] ?? role;
  });
}

const killing =
  (...roles: readonly Role[]): Strike =>
  (deployment, turn) =>
    crash(deployment, [], victims(deployment, turn, roles));
const losing =
  (store: Store): Strike =>
  (deployment) =>
    crash(deployment, [store]);

const roles = ['worker', 'api', 'janitor', 'ci'] as const;
const stores = { Redis: 'redis', NATS: 'nats', PostgreSQL: 'postgres' } as const;
const everything: Strike = (deployment, turn) =>
  crash(deployment, Object.values(stores), victims(deployment, turn, roles));
const sixTimes = (strike: Strike): Strike[] => Array.from({ length: 6 }, () => strike);

/** Each fault once, under one load. */
export const shortOrdeals: readonly Ordeal[] = [
  {
    name: 'each role is killed, Redis, NATS and PostgreSQL crash',
    strikes: [killing(...roles), ...Object.values(stores).map(losing)],
    withChecks: true,
  },
];

/** Each fault many times, under a load of its own. */
export const fullOrdeals: readonly Ordeal[] = [
  ...roles.map((role) => ({
    name: `kill -9 of processes of the role ${role}`,
    strikes: sixTimes(killing(role)),
    withChecks: role === 'ci',
  })),
  ...Object.entries(stores).map(([name, store]) => ({
    name: `${name} crashes and comes back`,
    strikes: sixTimes(losing(store)),
  })),
  { name: 'everything at once', strikes: sixTimes(everything), withChecks: true },
];
