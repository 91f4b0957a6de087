/**
 * What a resource shows to operators: rows with undo rows of a gid beside what they were and are,
 * and who holds which rows. Each is one local transaction that reads and has one view of all; it
 * waits for nobody's rows and changes none.
 */
import type {
  Call,
  CallAnswer,
  InspectAnswer,
  InspectedRow,
  LocksPage,
  RowState,
} from '../protocol/index.ts';
import { digestOf, digestOfAll } from './choices.ts';
import { type Image, rowIdentity, type Step, sameImage } from './image.ts';
import { inLook, type ResourcePorts } from './own-transaction.ts';
import type { PlannedRow, PlannedTable } from './planned-row.ts';
import { inspectQuestionOf, locksQuestionOf } from './question-body.ts';
import { dirtiness, isLockOnly } from './restore-plan.ts';
import { isWeight } from './row-key.ts';
import {
  asJson,
  fitting,
  notUnderstood,
  pageOf,
  type Readable,
  shortened,
  shownImages,
} from './shown.ts';
import type { LookedAt } from './undo-store.ts';

/** The rows of the call's gid, dirty ones first. Refused when the question is not understood. */
export async function inspectRows<Native>(
  ports: ResourcePorts<Native>,
  { gid, payload }: Call,
): Promise<CallAnswer> {
  const question = inspectQuestionOf(payload);
  if (question === null) return notUnderstood;
  const { undo } = ports.dialect;
  const looked = await inLook(ports, (session) => undo.look(session, gid));
  const judged = judgedRows(looked);
  const { offset, rowsMax, bytesMax } = question;
  const wanted = judged.slice(offset, offset + rowsMax);
  const rows = pageOf(wanted, bytesMax, (row) => inspectedRow(row, undo.readable));
  const next = offset + rows.length;
  const answer: InspectAnswer = {
    rows,
    rowsTotal: judged.length,
    dirtyTotal: judged.filter(({ state }) => state === 'dirty').length,
    seen: digestOfAll(looked.rows),
    nextOffset: next < judged.length ? next : null,
  };
  return { outcome: 'done', result: asJson(answer) };
}

interface JudgedRow {
  readonly steps: readonly Step[];
  readonly row: PlannedRow<PlannedTable>;
  readonly state: RowState;
  readonly why: string | null;
  readonly differing: readonly string[];
}

/** Dirty ones first, the rest from the newest to the oldest. */
function judgedRows({ undo, rows }: LookedAt): readonly JudgedRow[] {
  const judged: JudgedRow[] = [];
  for (const [identity, steps] of Map.groupBy(undo, rowIdentity)) {
    const row = rows.get(identity);
    if (row !== undefined) judged.push({ steps, row, ...stateOf(row, steps) });
  }
  const isDirty = ({ state }: JudgedRow): number => (state === 'dirty' ? 0 : 1);
  return judged.sort((one, other) => isDirty(one) - isDirty(other));
}

/** `steps`: of the row, newest first. */
function stateOf(
  row: PlannedRow<PlannedTable>,
  steps: readonly Step[],
): Pick<JudgedRow, 'state' | 'why' | 'differing'> {
  const none = { why: null, differing: [] };
  const newest = steps.find((step) => !isLockOnly(step));
  if (newest === undefined) return { state: 'locked', ...none };
  const dirty = dirtiness(row, steps);
  if (dirty !== null) {
    const { why, current, after } = dirty;
    return { state: 'dirty', why, differing: differingColumns(current, after) };
  }
  const { found } = row;
  const isAsLeft =
    found === null || newest.after === null
      ? found === newest.after
      : sameImage(found, newest.after);
  return { state: isAsLeft ? 'clean' : 'restored', ...none };
}

/** None when there is no row on one of the sides: then all of it differs. */
function differingColumns(current: Image | null, after: Image | null): readonly string[] {
  if (current === null || after === null) return [];
  const names = new Set([...Object.keys(current), ...Object.keys(after)]);
  return [...names].filter((name) => !isWeight(name) && current[name] !== after[name]);
}

function inspectedRow(judged: JudgedRow, readable: Readable): InspectedRow {
  const { steps, row, state, why, differing } = judged;
  const [newest] = steps;
  if (newest === undefined) throw new Error('a row without steps has no undo rows');
  const columns = row.table?.facts.columns ?? [];
  const key = row.table?.facts.key.map(({ name }) => name) ?? [];
  const whole = [row.original, newest.after, row.found];
  return fitting([...key, ...differing], (detail) => {
    const { images, cut, columnsLeftOut } = shownImages(whole, columns, detail, readable);
    const [before = null, after = null, current = null] = images;
    const { names, lengthMax } = detail;
    const isShown = (name: string): boolean => names === null || names.has(name);
    const types = columns
      .filter(({ name }) => isShown(name))
      .map(({ name, type }) => [name, shortened(type, lengthMax)]);
    return {
      table: newest.table,
      key: newest.key,
      steps: steps.length,
      state,
      why,
      differing: differing.filter(isShown),
      seen: digestOf(row.found),
      types: Object.fromEntries(types),
      before,
      after,
      current,
      cut,
      columnsLeftOut,
    };
  });
}

/** Who holds which rows. Refused when the question is not understood. */
export async function listLocks<Native>(
  ports: ResourcePorts<Native>,
  { payload }: Call,
): Promise<CallAnswer> {
  const question = locksQuestionOf(payload);
  if (question === null) return notUnderstood;
  const { undo } = ports.dialect;
  const found = await inLook(ports, (session) => undo.locks(session, question));
  const page = pageOf(found.slice(0, question.limit), Number.POSITIVE_INFINITY, (lock) => {
    const { table, key, gid, branchId, createdAtMs, columns } = lock;
    const texts = columns.map(({ name, type, text }) => [name, undo.readable(type, text)]);
    const row = texts.length === 0 ? null : Object.fromEntries(texts);
    return { table, key, row, gid, branchId, createdAtMs };
  });
  const last = found[page.length - 1];
  const next = page.length < found.length && last !== undefined ? last.undoId : null;
  const answer: LocksPage = { locks: page, next };
  return { outcome: 'done', result: asJson(answer) };
}
