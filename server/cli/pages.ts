/** Lists of the API read page after page, as many as a person asked for and not one more. */

/** How a list is paged. */
export interface Paging<Page, Cursor> {
  /** Where to begin; null: at the beginning. */
  readonly from?: Cursor | null;
  /** How many in all, at the most. */
  readonly limit: number;
  /** How many the server gives at once, at the most. */
  readonly pageMax: number;
  ask(limit: number, cursor: Cursor | undefined): Promise<Page>;
  /** How many are on the page, and where the next one begins; null: it is the last. */
  read(page: Page): { readonly count: number; readonly next: Cursor | null };
}

/** The pages in their order; throws what `ask` throws. One may be empty and not be the last. */
export async function* pagesOf<Page, Cursor>({
  from = null,
  limit,
  pageMax,
  ask,
  read,
}: Paging<Page, Cursor>): AsyncGenerator<Page> {
  let cursor = from;
  let left = limit;
  do {
    const page = await ask(Math.min(left, pageMax), cursor ?? undefined);
    yield page;
    const { count, next } = read(page);
    left -= count;
    cursor = next;
  } while (cursor !== null && left > 0);
}
