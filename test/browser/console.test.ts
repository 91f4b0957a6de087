/**
 * The console as operators use it, in a real browser against a real server: a stuck transaction found by
 * its error, read, retried, and seen in the audit; live, by the keyboard, at any address. How its screens
 * look is in screens.test.ts, what can be changed in changes.test.ts.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type GatedBank, openGatedBank } from '../support/gated-bank.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';
import { buildConsole, complaintsOf, describeInBrowser, openBrowser } from './browser.ts';

describeInBrowser('the console', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let server: Awaited<ReturnType<typeof startServerCommand>>;
  let bank: GatedBank;
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];

  beforeAll(async () => {
    buildConsole();
    folder = await scratchFolder();
    const args = ['--log', `sqlite:${join(folder.path, 'log.db')}`];
    args.push('--attention-after-attempts', '2', '--retry-max', '2s');
    server = await startServerCommand(args, { folder: folder.path });
    bank = await openGatedBank(server.url, folder.path);
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1380, height: 860 } });
    complaints = complaintsOf(page);
  });
  afterAll(async () => {
    await browser?.close();
    await bank?.close();
    server?.signal('SIGTERM');
    await server?.ended;
    await folder?.remove();
  });

  const open = (path: string) => page.goto(`${server.url}/console/${path}`);
  const row = (gid: string) => page.locator('tr', { has: page.getByRole('link', { name: gid }) });

  it('shows what comes, without a reload', async () => {
    await open('transactions?outcome=open');
    await page.getByText('No transaction fits.').waitFor();
    await transfer(bank, 'transfer-0');
    await row('transfer-0').getByText('committing').waitFor();
    for (const gid of ['transfer-1', 'transfer-2', 'transfer-3']) await transfer(bank, gid);
    await row('transfer-3').waitFor();
    await beginWide(server.url);
  });

  it('keeps up with what changes every second', async () => {
    await open('transactions?outcome=open&name=steady');
    await page.getByText('No transaction fits.').waitFor();
    const headers = { 'content-type': 'application/json' };
    for (const gid of ['s1', 's2', 's3', 's4', 's5', 's6', 's7', 's8']) {
      const body = JSON.stringify({ gid, name: 'steady' });
      await fetch(`${server.url}/v1/transactions`, { method: 'POST', headers, body });
      await row(gid).waitFor({ timeout: 8_000 });
      await fetch(`${server.url}/v1/transactions/${gid}/rollback`, {
        method: 'POST',
        headers,
        body: '{}',
      });
      await row(gid).waitFor({ state: 'detached', timeout: 8_000 });
    }
  });

  it('finds a stuck transaction by its error, tells why, retries it, and has it on the record', async () => {
    await open('transactions');
    await page.getByLabel('Search text').waitFor();
    await page.keyboard.press('/');
    await page.keyboard.type('gate is SHUT');
    await page.keyboard.press('Enter');
    await page.getByText('error: gate is SHUT').waitFor();
    await row('wide').waitFor({ state: 'detached' });
    await row('transfer-1').waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'transfer-1' }).click();

    await page.getByRole('heading', { name: 'Why it is where it is' }).waitFor();
    await page.getByText('the gate is shut').first().waitFor();
    await page.getByText('What you can do').waitFor();

    await page.getByRole('button', { name: 'Retry now' }).click();
    await page.getByText('It concerns 1 transaction').waitFor();
    await page.getByLabel('Reason').fill('we look at the gate');
    await page.getByLabel('Your name').fill('ada');
    await page.getByRole('button', { name: 'Retry: 1 transaction' }).click();
    await page.getByText('On the record as').waitFor();
    await page.getByRole('button', { name: 'Close' }).last().click();
    await page.getByRole('link', { name: 'Audit' }).click();
    const entry = page.locator('li', { hasText: 'we look at the gate' }).last();
    await entry.getByText('ada', { exact: true }).waitFor();
    await entry.getByText('tx.retry').waitFor();
    await page.getByRole('button', { name: 'Verify the chain' }).click();
    await page.getByText('The chain holds: 2 entries').waitFor();
  });

  it('retries all that a query finds, after it has shown how many', async () => {
    await open('transactions?outcome=open&name=transfer');
    await row('transfer-3').waitFor();
    await page.getByRole('button', { name: 'Retry …' }).click();
    await page.getByText('It concerns 4 transactions').waitFor();
    await page.getByLabel('Reason').fill('all of them');
    await page.getByRole('button', { name: 'Retry: 4 transactions' }).click();
    await page.getByText('Done for 4 transactions').waitFor();
    await page.getByRole('button', { name: 'Close' }).last().click();
  });

  it('shows that one has ended, without a reload', async () => {
    await open('transactions/transfer-1');
    await page.locator('.facts').getByText('committing', { exact: true }).waitFor();
    bank.openGate();
    await page.locator('.facts').getByText('committed', { exact: true }).waitFor();
  });

  it('is driven by the keyboard', async () => {
    await open('transactions?outcome=committed');
    await row('transfer-3').waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    await page.keyboard.press('k');
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'transfer-3' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Transactions' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await page.keyboard.press('a');
    await page.getByRole('heading', { name: 'Audit' }).waitFor();
  });

  it('keeps a view under a name', async () => {
    await open('transactions?name=transfer&outcome=committed');
    await page.getByRole('button', { name: 'Save this view' }).click();
    await page.getByLabel('Name of the view').fill('my transfers');
    await page.getByRole('button', { name: 'Save', exact: true }).click();
    await page.getByRole('link', { name: 'All', exact: true }).click();
    await page.getByRole('link', { name: 'my transfers' }).click();
    await page.waitForURL(/name=transfer/);
  });

  it('opens at any address, for somebody who has never been here', async () => {
    const elsewhere = await browser.newPage();
    await elsewhere.goto(`${server.url}/console/transactions?name=transfer&sort=oldest`);
    await elsewhere.getByText('name: transfer').waitFor();
    expect(await elsewhere.getByLabel('Sort').inputValue()).toBe('oldest');
    await elsewhere.goto(`${server.url}/console/transactions/transfer-2`);
    await elsewhere.getByRole('heading', { name: 'transfer-2' }).waitFor();
    await elsewhere.goto(`${server.url}/console/audit?at=1`);
    await elsewhere.locator('#entry-1').getByText('we look at the gate').waitFor();
    await elsewhere.locator('#entry-1').getByText('What it was about').waitFor();
    await elsewhere.close();
  });

  it('asks the doctor, and tells each remedy', async () => {
    await open('overview');
    await page.getByRole('button', { name: 'Examine' }).click();
    const silent = page.locator('.findings li', { hasText: 'participant.silent' }).first();
    await silent
      .getByText(/stock-\d/)
      .first()
      .waitFor();
    await silent.getByText(/^→ Start stock-/).waitFor();
    await page.getByText('What is in order').click();
    await page.locator('.findings li', { hasText: 'log.schema' }).waitFor();
  });

  it('reads the log back', async () => {
    await open('cluster');
    await page.getByRole('button', { name: 'Read all records back' }).click();
    await page.getByText(/All is as it must be: \d+ transactions read/).waitFor();
  });

  it('complains of nothing meanwhile', () => {
    expect(complaints).toEqual([]);
  });
});

/** Decided to commit; its confirms wait for the gate. */
async function transfer(bank: GatedBank, gid: string): Promise<void> {
  await bank.settle.transaction({ gid, name: 'transfer', wait: 'decided' }, async () => {
    await Promise.all([bank.debit({ cents: 5 }), bank.credit({ cents: 5 })]);
  });
}

/** As many branches as there may be, at services that nobody runs. */
async function beginWide(url: string): Promise<void> {
  const branches = Array.from({ length: 256 }, (_, at) => ({
    participant: { service: `stock-${at % 8}`, method: 'reserve' },
  }));
  const headers = { 'content-type': 'application/json' };
  const begun = { gid: 'wide', name: 'payroll', timeoutMs: 600_000, branches };
  for (const [path, body] of [
    ['', begun],
    ['/wide/rollback', { wait: 'decided' }],
  ] as const) {
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    expect((await fetch(`${url}/v1/transactions${path}`, init)).ok).toBe(true);
  }
}
