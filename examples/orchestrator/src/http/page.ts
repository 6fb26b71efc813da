import { isId } from '../ids.ts';
import { ApiError } from './problem.ts';

/** What a query parameter `cursor` says: the id of the last entry of the page before. @throws {ApiError} */
export function cursorOf({ cursor }: { readonly cursor?: string | undefined }): string | undefined {
  if (cursor === undefined || isId(cursor)) return cursor;
  throw new ApiError(422, 'ERR_INVALID_REQUEST', 'cursor is not one that this API gave out; begin without it.');
}

/** A page of rows of which one more than `limit` was asked for, and the cursor of the next page. */
export function pageOf<Row extends { readonly id: string }>(
  rows: readonly Row[],
  limit: number,
): { readonly page: readonly Row[]; readonly next: string | null } {
  const page = rows.slice(0, limit);
  return { page, next: rows.length > limit ? (page.at(-1)?.id ?? null) : null };
}
