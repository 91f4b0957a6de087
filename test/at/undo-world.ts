/** What the tests of undo rows do on every kind of database, without a resource. */
import type { Catalog, Session, TableFacts } from '../../client-sdk/resource/facts.ts';
import type { Image, Step } from '../../client-sdk/resource/image.ts';
import { rowKey } from '../../client-sdk/resource/row-key.ts';
import type { Restored, UndoStore } from '../../client-sdk/resource/undo-store.ts';

/** What differs between them. */
export interface UndoKind {
  readonly store: UndoStore;
  /** A catalogue that is never older than the test. */
  readonly freshCatalog: () => Catalog;
  /** Begins at READ COMMITTED. */
  readonly begin: string;
  /** Reads the image of a row of `t`. */
  readonly imageExpression: (facts: TableFacts) => string;
  readonly imageOf: (facts: TableFacts, text: string) => Image;
}

/** The steps of tests. */
export function undoWorld({ store, freshCatalog, begin, imageExpression, imageOf }: UndoKind) {
  async function factsOf(session: Session, table: string): Promise<TableFacts> {
    const [schema, name] = table.includes('.') ? table.split('.') : [null, table];
    return freshCatalog().factsOf(session, { schema: schema ?? null, name: name ?? '' });
  }

  async function imagesOf(session: Session, facts: TableFacts, where: string) {
    const { rows } = await session.query(
      `select ${imageExpression(facts)} as image from ${facts.id} t where ${where}`,
    );
    const images = rows.map((row): Image => imageOf(facts, String(row['image'])));
    return new Map(images.map((image) => [rowKey(facts, image), image]));
  }

  /** What a resource does with one statement, in its simplest form: images taken around it. */
  async function stepBy(
    session: Session,
    table: string,
    { where, change }: { readonly where: string; readonly change: string },
  ): Promise<readonly Step[]> {
    const facts = await factsOf(session, table);
    const before = await imagesOf(session, facts, where);
    await session.query(change);
    const after = await imagesOf(session, facts, where);
    return [...new Set([...before.keys(), ...after.keys()])].map((key) => ({
      table: facts.id,
      key,
      before: before.get(key) ?? null,
      after: after.get(key) ?? null,
    }));
  }

  /** A local transaction that ends with a commit, or with a rollback when it answers null. */
  async function transact<T>(session: Session, work: () => Promise<T>): Promise<T> {
    await session.query(begin);
    try {
      const value = await work();
      await session.query(value === null ? 'rollback' : 'commit');
      return value;
    } catch (error) {
      await session.query('rollback');
      throw error;
    }
  }

  /** Runs the changes in one local transaction of this branch, with undo rows, and commits. */
  async function branch(
    session: Session,
    { gid, branchId }: { readonly gid: string; readonly branchId: number },
    changes: () => Promise<readonly Step[]>,
  ): Promise<void> {
    await transact(session, async () => {
      const holders = await store.insert(session, { gid, branchId }, await changes());
      if (holders.length > 0) throw new Error(`held by ${holders.map((one) => one.gid).join()}`);
    });
  }

  /** As phase two does. What is dirty is rolled back. */
  async function restore(session: Session, gid: string): Promise<Restored> {
    let dirty: Restored | null = null;
    const done = await transact(session, async () => {
      const restored = await store.restore(session, gid);
      if (restored.kind === 'restored') return restored;
      dirty = restored;
      return null;
    });
    if (done !== null) return done;
    if (dirty === null) throw new Error('neither restored nor dirty');
    return dirty;
  }

  return { factsOf, imagesOf, stepBy, transact, branch, restore };
}
