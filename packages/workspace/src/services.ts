import type { Clock } from './clock.ts';
import type { Owner } from './files/owner.ts';
import type { Removals } from './files/removals.ts';
import type { Git } from './git/run.ts';
import type { WorkspaceInstrumentation } from './instrumentation.ts';
import type { CredentialProvider, Protocol, WorkspaceLog } from './manager.ts';
import type { Overlays } from './overlay/overlays.ts';
import type { Root } from './root.ts';
import type { Identity, PublishRules } from './workspace.ts';

/** Limits with their defaults filled in and durations in milliseconds. */
export interface ResolvedLimits {
  readonly networkTimeoutMs: number;
  readonly gitTimeoutMs: number;
  readonly rootBytes: number;
  readonly workspaceBytes: number;
  readonly workspaceInodes: number;
  readonly tenantBytes: number;
  readonly tenantInodes: number;
  readonly freeBytes: number;
}

/** What the parts of a manager share. */
export interface Services {
  readonly root: Root;
  readonly owner: Owner;
  readonly git: Git;
  readonly overlays: Overlays;
  readonly removals: Removals;
  readonly clock: Clock;
  readonly limits: ResolvedLimits;
  /** Least time between two questions to a remote about one ref. */
  readonly askIntervalMs: number;
  readonly protocols: readonly Protocol[];
  readonly credentials: CredentialProvider | undefined;
  readonly identity: Identity;
  readonly rules: PublishRules;
  readonly symlinks: boolean;
  readonly instrumentation: WorkspaceInstrumentation;
  readonly log: WorkspaceLog;
  /** Called between the steps of what must survive a crash; tests stop the process there. */
  readonly step: (name: string) => void;
}
