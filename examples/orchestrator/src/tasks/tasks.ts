import type { Kysely, Selectable } from 'kysely';
import type { Database, MessagesTable, TasksTable } from '../db/schema.ts';
import { newId } from '../ids.ts';
import { ensureRepo } from '../repos/repos.ts';
import { olderThan } from '../runs/store.ts';

/** A piece of work on a repository; several agents may try it. */
export interface NewTask {
  readonly tenantId: string;
  readonly repo: string;
  readonly ref: string;
  readonly title: string;
  /** What is to be done; agents that are given no prompt of their own get this one. */
  readonly prompt: string;
}

export type TaskRow = Selectable<TasksTable> & { readonly repo_url: string };
export type MessageRow = Selectable<MessagesTable>;

export async function createTask(tx: Kysely<Database>, task: NewTask): Promise<string> {
  const id = newId();
  const { tenantId, ref, title, prompt } = task;
  const repoId = await ensureRepo(tx, tenantId, task.repo);
  await tx.insertInto('tasks').values({ id, tenant_id: tenantId, repo_id: repoId, ref, title, prompt }).execute();
  if (prompt !== '') await addMessage(tx, { taskId: id, author: 'user', body: prompt });
  return id;
}

export async function getTask(db: Kysely<Database>, tenantId: string, id: string): Promise<TaskRow | undefined> {
  return await tasksWithRepo(db).where('tasks.tenant_id', '=', tenantId).where('tasks.id', '=', id).executeTakeFirst();
}

/** Tasks, newest first. */
export async function listTasks(
  db: Kysely<Database>,
  {
    tenantId,
    before,
    limit,
  }: { readonly tenantId: string; readonly before: string | undefined; readonly limit: number },
): Promise<TaskRow[]> {
  let query = tasksWithRepo(db).where('tasks.tenant_id', '=', tenantId);
  if (before) query = query.where(olderThan('tasks', before));
  return await query.orderBy('tasks.created_at', 'desc').orderBy('tasks.id', 'desc').limit(limit).execute();
}

function tasksWithRepo(db: Kysely<Database>) {
  return db
    .selectFrom('tasks')
    .innerJoin('repos', 'repos.id', 'tasks.repo_id')
    .selectAll('tasks')
    .select('repos.url as repo_url');
}

/** Something that was said in a task. */
export interface NewMessage {
  readonly taskId: string;
  readonly author: 'user' | 'agent';
  readonly body: string;
  /** The run whose agent said it. */
  readonly runId?: string;
}

/** Characters of a message that are kept. */
const maxBody = 100_000;

/** A run says one thing in the end; a worker that took it over says it anew, in the same place. */
export async function addMessage(db: Kysely<Database>, message: NewMessage): Promise<void> {
  const body = message.body.slice(0, maxBody);
  await db
    .insertInto('messages')
    .values({ id: newId(), task_id: message.taskId, author: message.author, body, run_id: message.runId ?? null })
    .onConflict((conflict) => conflict.columns(['run_id', 'author']).doUpdateSet({ body }))
    .execute();
}

/** What was said in a task after a message, oldest first. */
export async function listMessages(
  db: Kysely<Database>,
  taskId: string,
  after: string | undefined,
  limit: number,
): Promise<MessageRow[]> {
  let query = db.selectFrom('messages').selectAll().where('task_id', '=', taskId);
  if (after !== undefined) query = query.where('id', '>', after);
  return await query.orderBy('id').limit(limit).execute();
}
