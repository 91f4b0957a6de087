/**
 * A row that somebody else has changed, resolved in the console: its three images, a merge column by
 * column, the dry run first; and the lock that it is, while it stands.
 */
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Settle } from '../../client-sdk/index.ts';
import { describeOnKind, type EitherDatabase } from '../at/either-kind.ts';
import { startCoordinator, startService } from '../at/world.ts';
import { buildConsole, describeInBrowser, openBrowser, seriousFindings } from './browser.ts';

const schema = [
  'create table account (id int primary key, cents bigint not null, note varchar(40))',
  "insert into account values (1, 1000, 'first'), (2, 500, 'second')",
];

await describeOnKind('postgres', (kind) => {
  describeInBrowser('undo rows in the console', () => {
    let coordinator: Awaited<ReturnType<typeof startCoordinator>>;
    let browser: Browser;
    let page: Page;

    beforeAll(async () => {
      buildConsole();
      coordinator = await startCoordinator();
      browser = await openBrowser();
      page = await browser.newPage({ viewport: { width: 1380, height: 1100 } });
    });
    afterAll(async () => {
      await browser?.close();
      await coordinator?.stop();
    });

    it('shows what is held and by whom, and merges a dirty row', async () => {
      const db = await kind.start(schema);
      const url = `${coordinator.url}/console`;
      await leaveDirty(coordinator.url, db);

      await page.goto(`${url}/locks`);
      await page.getByRole('link', { name: 'shop/bank' }).click();
      await page
        .getByRole('row', { name: /account/ })
        .first()
        .waitFor();

      await page.goto(`${url}/transactions/order-1`);
      await page.getByText('1 dirty').waitFor();
      await page.getByLabel('merge: take back what it did').check();
      await page.getByLabel('cents becomes').selectOption('before');
      expect(await seriousFindings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Resolve 1 row' }).click();
      await page.getByText('nothing is written yet').waitFor();
      await page.getByText('cents: 7777 → 1000').waitFor();
      expect(await db.rowsOf('account')).toContain('(1,7777,repaired)');
      await page.getByLabel('Reason').fill('the note is right, the cents are not');
      expect(await seriousFindings(page)).toEqual([]);
      await page.getByRole('button', { name: 'Resolve', exact: true }).click();
      await page.getByText('written. On the record as audit entry').waitFor();
      await page.getByRole('button', { name: 'Close' }).last().click();
      await page.locator('.facts').getByText('rolled back', { exact: true }).waitFor();
      expect(await db.rowsOf('account')).toEqual(['(1,1000,repaired)', '(2,500,second)']);
    });

    it('keeps all dirty rows as they are in one go', async () => {
      const db = await kind.start(schema);
      await leaveDirty(coordinator.url, db, { gid: 'order-2', service: 'store' });
      await db.query("update account set note = 'repaired' where id = 2");
      await page.goto(`${coordinator.url}/console/transactions/order-2`);
      await page.getByText('2 dirty').waitFor();
      const others = page.getByLabel('Dirty rows without a choice of their own');
      await others.selectOption('keep: as they are now');
      await page.getByRole('button', { name: 'Resolve all rows' }).click();
      await page.getByText('nothing is written yet').waitFor();
      expect(await seriousFindings(page)).toEqual([]);
      await page.getByLabel('Reason').fill('the shop has mended both');
      await page.getByRole('button', { name: 'Resolve', exact: true }).click();
      await page.getByText('written. On the record as audit entry').waitFor();
      await page.getByRole('button', { name: 'Close' }).last().click();
      await page.locator('.facts').getByText('rolled back', { exact: true }).waitFor();
      expect(await db.rowsOf('account')).toEqual(['(1,7777,repaired)', '(2,400,repaired)']);
      await page.getByRole('link', { name: 'Audit' }).click();
      await page.getByText('the shop has mended both').first().waitFor();
      await page.getByText('undo.resolve').first().waitFor();
    });

    it('shows the rows as soon as their participant is there again', async () => {
      const db = await kind.start(schema);
      const place = { gid: 'order-3', service: 'depot' };
      const before = await leaveDirty(coordinator.url, db, place);
      await before.close();
      await page.goto(`${coordinator.url}/console/transactions/order-3`);
      await page.getByText('It could not be asked').waitFor();
      const after = await startService(coordinator.url, place.service);
      db.at(after, { resource: 'bank' });
      await after.ready();
      await page.getByText('1 dirty').waitFor();
      expect(await page.getByText('It could not be asked').count()).toBe(0);
    });
  });
});

/** Two rows changed under the gid, one of them changed since by somebody else; it rolls back. */
async function leaveDirty(
  url: string,
  db: EitherDatabase,
  { gid, service } = { gid: 'order-1', service: 'shop' },
): Promise<Settle> {
  const settle = await startService(url, service);
  const bank = db.at(settle, { resource: 'bank' });
  await settle.ready();
  const headers = { 'content-type': 'application/json' };
  const post = (path: string, body: object) =>
    fetch(`${url}/v1/transactions${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  await post('', { gid, name: 'order' });
  await settle.join(gid, () => bank.query('update account set cents = cents - 100'));
  await db.query("update account set cents = 7777, note = 'repaired' where id = 1");
  await post(`/${gid}/rollback`, { wait: 'decided' });
  return settle;
}
