import { realpath } from 'node:fs/promises';
import type { Workspace } from '@millrace/workspace';
import type { AgentType } from '../agents/agent.ts';
import type { AgentSpec } from '../db/schema.ts';
import { type SessionPlace, SessionTooLargeError } from '../sessions/archive.ts';
import { keepSession, restoreSession } from '../sessions/kept.ts';
import type { WorkerContext } from './context.ts';
import type { Scratch } from './scratch.ts';
import type { RunSession } from './session.ts';

/** What an agent remembers of one run to the next. Its home is deleted with the run. */
export interface AgentMemory {
  /** Gives the agent the session that its run is to go on from. @throws {RunFailure} when that is kept no longer. */
  restore(): Promise<void>;
  /** Keeps the session that the agent said it has. */
  keep(sessionId: string | undefined, secrets: readonly string[]): Promise<void>;
}

export async function agentMemory(
  context: WorkerContext,
  session: RunSession,
  agent: Pick<AgentType<AgentSpec>, 'sessionFolders'>,
  { workspace, directory, scratch }: { workspace: Workspace; directory: string; scratch: Scratch },
): Promise<AgentMemory> {
  const { run, hold, log } = session;
  const folders = agent.sessionFolders?.(directory) ?? [];
  const place: SessionPlace = { home: scratch.home, folders, workspace: await realpath(workspace.path) };
  return {
    async restore() {
      const { session: sessionId, type } = run.agent;
      if (typeof sessionId !== 'string') return;
      await restoreSession(context, { tenantId: run.tenant_id, agent: type, sessionId }, place, scratch.temporary);
    },
    async keep(sessionId, secrets) {
      if (sessionId === undefined) return;
      await context.db.updateTable('runs').set({ session_id: sessionId }).where('id', '=', hold.runId).execute();
      try {
        await keepSession(context, hold, place, secrets, scratch.temporary);
      } catch (error) {
        if (!(error instanceof SessionTooLargeError)) throw error;
        await log.write('system', `No later run can go on from this session. ${error.message}`);
      }
    },
  };
}
