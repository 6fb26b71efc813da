import { isId } from '../ids.ts';
import type { PagePoint } from '../tasks/tasks.ts';
import { ApiError } from './problem.ts';

/** The cursor of what comes after an entry of a list that is ordered by time, newest first. */
export function encodePage(last: { readonly created_at: Date; readonly id: string }): string {
  return Buffer.from(`${last.created_at.toISOString()} ${last.id}`).toString('base64url');
}

/** @throws {ApiError} 422 for a cursor that is not one of ours. */
export function decodePage(cursor: string): PagePoint {
  const [time = '', id = ''] = Buffer.from(cursor, 'base64url').toString().split(' ');
  const createdAt = new Date(time);
  if (Number.isNaN(createdAt.getTime()) || !isId(id)) throw foreignCursor();
  return { createdAt, id };
}

/** The cursor of a list that is ordered by id is the id itself. @throws {ApiError} */
export function decodeIdPage(cursor: string | undefined): string | undefined {
  if (cursor === undefined || isId(cursor)) return cursor;
  throw foreignCursor();
}

function foreignCursor(): ApiError {
  return new ApiError(422, 'ERR_INVALID_REQUEST', 'cursor is not one that this API gave out; begin without it.');
}
