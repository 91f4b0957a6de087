/** `/docs/errors`: the page that the `type` of every problem points to (RFC 9457 §3.1.1). */
import { errorTable } from '../../client-sdk/protocol/index.ts';

/** HTML without scripts or outside resources; each code is an anchor. */
export function errorsPage(): string {
  const entries = Object.entries(errorTable).map(
    ([code, { status, title, remedy }]) =>
      `<dt id="${code}"><b>${code}</b> (${status})</dt><dd>${escaped(`${title} ${remedy}`)}</dd>`,
  );
  return [
    '<!doctype html><html lang="en"><meta charset="utf-8"><title>Settle: error codes</title>',
    `<h1>Error codes</h1><dl>${entries.join('\n')}</dl></html>`,
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
