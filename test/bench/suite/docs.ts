/**
 * The part of docs/performance.md that is made by a run: the table, the machine, and the plot beside
 * it. Between two comments; what is outside of them is written by hand and left alone. Pure but for
 * what the machine says of itself.
 */
import { cpus, release, totalmem } from 'node:os';
import { markdownTable, type Outcome } from './outcome.ts';

const opening = '<!-- Made by `npm run bench -- --suite --write-docs`; do not edit. -->';
const closing = '<!-- End of what was made. -->';

/** The page with a new table. Throws when the page has no place for it. */
export function withTable(page: string, outcomes: readonly Outcome[], machine: string): string {
  const [from, to] = [page.indexOf(opening), page.indexOf(closing)];
  if (from < 0 || to < from) throw new Error('the page has lost the comments around its table');
  const made = `${opening}\n\n${machine}\n\n${markdownTable(outcomes)}\n\n`;
  return page.slice(0, from) + made + page.slice(to);
}

/** The machine in one sentence. `atMs`: when it was measured. */
export function machineText(atMs: number): string {
  const all = cpus();
  const model = all[0]?.model.trim() || 'unknown processor';
  const gib = Math.round(totalmem() / 2 ** 30);
  // Without what the builder of the kernel has added.
  const kernel = release().split('-')[0];
  const day = new Date(atMs).toISOString().slice(0, 10);
  return (
    `Measured on ${day}: ${all.length} × ${model}, ${gib} GiB, ${process.platform} ${kernel}, ` +
    `Node ${process.versions.node}; clients, participants, coordinator and database share it.`
  );
}
