/**
 * Everything that the console can change, against a live server: what would be done is shown first and
 * a closed dialog has done nothing; a reason is asked for; what came of it leads to its entry in the
 * audit. Nothing is asked a second time by itself here, so what comes through was asked by a human.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { AuditView, TransactionView } from '../../client-sdk/protocol/index.ts';
import { HttpParticipant } from '../support/http-participant.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';
import {
  buildConsole,
  complaintsOf,
  describeInBrowser,
  openBrowser,
  seriousFindings,
} from './browser.ts';

describeInBrowser('changes by the console', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let server: Awaited<ReturnType<typeof startServerCommand>>;
  let bank: HttpParticipant;
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];

  beforeAll(async () => {
    buildConsole();
    folder = await scratchFolder();
    bank = await HttpParticipant.open();
    breakBank();
    const args = [
      '--log',
      `sqlite:${join(folder.path, 'log.db')}`,
      '--allow-callback',
      bank.origin,
    ];
    args.push('--retry-initial', '24h', '--retry-max', '24h');
    server = await startServerCommand(args, { folder: folder.path });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    complaints = complaintsOf(page);
  });
  afterAll(async () => {
    await browser?.close();
    server?.signal('SIGTERM');
    await server?.ended;
    await bank?.close();
    await folder?.remove();
  });

  const breakBank = () => {
    bank.respond = (response) => {
      response.statusCode = 500;
      response.end('the vault is locked');
    };
  };
  const mendBank = () => {
    bank.respond = (response) => void response.end();
  };
  const open = (path: string) => page.goto(`${server.url}/console/${path}`);
  const button = (name: string | RegExp) => page.getByRole('button', { name });

  async function ask<T>(path: string, body?: object): Promise<T> {
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: JSON.stringify(body) };
    const answer = await fetch(`${server.url}/v1/${path}`, body === undefined ? {} : init);
    expect(answer.ok, path).toBe(true);
    // The coordinator's own answer, in the words of the protocol.
    return (await answer.json()) as T;
  }
  const read = (gid: string) => ask<TransactionView>(`transactions/${gid}`);
  const audit = async () => (await ask<{ entries: readonly AuditView[] }>('audit')).entries;

  /** Undecided, with two branches at the bank. */
  async function begin(gid: string, name: string): Promise<void> {
    const branch = (method: string) => ({ participant: { url: `${bank.origin}/${method}` } });
    await ask('transactions', { gid, name, branches: [branch('debit'), branch('credit')] });
  }

  /** Decided to commit, and each branch asked once in vain. */
  async function stuck(gid: string, name: string): Promise<void> {
    await begin(gid, name);
    await ask(`transactions/${gid}/commit`, { wait: 'decided' });
    const isAsked = async () =>
      (await read(gid)).branches.every(({ lastError }) => lastError !== null);
    while (!(await isAsked()));
  }

  /** What one sees before: `concerned` of the preview. Closing it has done nothing. */
  async function looksFirst(opens: string | RegExp, concerned: string, gid: string): Promise<void> {
    const before = [await read(gid), await audit()];
    await button(opens).click();
    await page.getByText(concerned).waitFor();
    expect(await seriousFindings(page), 'of the dialog').toEqual([]);
    await button('Cancel').click();
    await page.getByRole('dialog').waitFor({ state: 'detached' });
    expect([await read(gid), await audit()]).toEqual(before);
  }

  /** Does it, and follows the link to its entry in the audit. */
  async function does(opens: string | RegExp, verb: string, reason: string): Promise<void> {
    await button(opens).click();
    const act = button(verb);
    await act.waitFor();
    expect(await act.isDisabled(), 'without a reason').toBe(true);
    await page.getByLabel('Reason').fill(reason);
    await page.getByLabel('Your name').fill('ada');
    await act.click();
    await page.getByText('On the record as').waitFor();
  }

  async function isOnRecord(action: string, reason: string, target: object): Promise<void> {
    await page.getByRole('link', { name: /audit entry \d+/ }).click();
    const entry = page.locator('ol.audit > li', { hasText: reason }).last();
    await entry.getByText(action).waitFor();
    // Exactly: one hash in seventy holds these letters.
    await entry.getByText('ada', { exact: true }).waitFor();
    await entry.getByText('What it was about').waitFor();
    const [done, asked] = await audit();
    expect(asked).toMatchObject({ action, reason, who: 'ada', stage: 'asked', target });
    expect(done).toMatchObject({ stage: 'done', of: asked?.seq });
  }

  it('skips one branch that a human has seen to', async () => {
    await stuck('skip-1', 'skipped');
    await open('transactions/skip-1');
    await looksFirst('Skip branch 1', 'It concerns 1 transaction', 'skip-1');
    await does('Skip branch 1', 'Skip a branch: 1 transaction', 'booked by hand');
    await isOnRecord('tx.skip', 'booked by hand', { branchId: 1, operation: 'confirm' });
    const { phase, branches } = await read('skip-1');
    expect(phase).toBe('committing');
    expect(branches.map(({ state }) => state)).toEqual(['confirmed', 'asked']);
    await page.goBack();
    await page.locator('#branch-1').getByText('confirmed').waitFor();
    await page.getByRole('cell', { name: 'branch 1 confirmed, as ada says' }).waitFor();
  });

  it('rolls back what nobody has decided', async () => {
    mendBank();
    await begin('back-1', 'abandoned');
    await open('transactions/back-1');
    await looksFirst('Roll back', 'It concerns 1 transaction', 'back-1');
    await does('Roll back', 'Roll back: 1 transaction', 'its shop is gone');
    await button('Close').last().click();
    await page.locator('.facts').getByText('rolled back', { exact: true }).waitFor();
    expect(await button('Roll back').count()).toBe(0);
    expect(await read('back-1')).toMatchObject({ cause: { kind: 'operator' } });
    breakBank();
  });

  it('counts as done what can never be done', async () => {
    await stuck('end-1', 'hopeless');
    await open('transactions/end-1');
    await looksFirst('Count as done …', 'It concerns 1 transaction', 'end-1');
    await does('Count as done …', 'Count as done: 1 transaction', 'the bank has closed for good');
    await isOnRecord('tx.resolve', 'the bank has closed for good', { gids: ['end-1'] });
    expect(await read('end-1')).toMatchObject({ phase: 'committed' });
  });

  it('retries one by the keyboard alone, and shows its end without a reload', async () => {
    await stuck('retry-1', 'single');
    mendBank();
    await open('transactions?outcome=open&name=single');
    await page.getByRole('link', { name: 'retry-1' }).waitFor();
    for (const key of ['j', 'Enter']) await page.keyboard.press(key);
    await page.getByRole('heading', { name: 'retry-1' }).waitFor();
    await button('Retry now').focus();
    await page.keyboard.press('Enter');
    await button('Retry: 1 transaction').waitFor();
    // The field for the reason has the focus, and Enter in a field does it.
    await page.keyboard.type('the vault is open again');
    await page.keyboard.press('Enter');
    await page.getByText('Done for 1 transaction').waitFor();
    await page.keyboard.press('Escape');
    await page.locator('.facts').getByText('committed', { exact: true }).waitFor();
    breakBank();
  });

  it('retries all that a query finds, but never more than were seen', async () => {
    for (const at of [1, 2, 3]) await stuck(`bulk-${at}`, 'bulk');
    await open('transactions?error=vault&name=bulk&outcome=open');
    await page.getByRole('link', { name: 'bulk-3' }).waitFor();
    await looksFirst('Retry …', 'It concerns 3 transactions', 'bulk-1');

    await button('Retry …').click();
    await page.getByText('It concerns 3 transactions').waitFor();
    await stuck('bulk-4', 'bulk');
    await page.getByLabel('Reason').fill('all of the bank');
    await button('Retry: 3 transactions').click();
    await page.getByText('Nothing was done').waitFor();
    await page.getByText('CONFLICT').waitFor();
    await button('Close').last().click();

    mendBank();
    await does('Retry …', 'Retry: 4 transactions', 'all four of the bank');
    await page.getByText('Done for 4 transactions').waitFor();
    await isOnRecord('tx.retry', 'all four of the bank', {
      gids: ['bulk-1', 'bulk-2', 'bulk-3', 'bulk-4'],
    });
    for (const at of [1, 2, 3, 4]) {
      const path = `transactions/bulk-${at}?wait=completed&waitMs=60000`;
      expect(await ask<TransactionView>(path)).toMatchObject({ phase: 'committed' });
    }
    breakBank();
  });

  it('rolls back those that are selected, and keeps their rows in place meanwhile', async () => {
    mendBank();
    for (const at of [1, 2, 3]) await begin(`some-${at}`, 'some');
    await open('transactions?outcome=open&name=some');
    await page.getByRole('link', { name: 'some-3' }).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('x');
    await page.getByLabel('Select some-1').check();
    await page.getByText('2 rows selected').waitFor();
    await begin('some-4', 'some');
    await button('1 newer: show').waitFor();
    await does('Roll back …', 'Roll back: 2 transactions', 'these two');
    await button('Close').last().click();
    await page.getByRole('link', { name: 'some-4' }).waitFor();
    const phases = await Promise.all([1, 2, 3, 4].map((at) => read(`some-${at}`)));
    const isBack = phases.map(({ phase }) => phase !== 'active');
    expect(isBack).toEqual([true, false, true, false]);
    breakBank();
  });

  it('drains a service and lets it be called again', async () => {
    const participant = { service: 'mail', method: 'send' };
    await ask('transactions', { gid: 'mail-1', name: 'mail', branches: [{ participant }] });
    await ask('transactions/mail-1/commit', { wait: 'decided' });
    await open('participants');
    const row = page.getByRole('row', { name: /mail/ });
    await row.getByText('not connected', { exact: true }).waitFor();
    for (const [verb, badge, reason] of [
      ['Drain', 'drained', 'it is being mended'],
      ['Undrain', 'not connected', 'it is well again'],
    ] as const) {
      await row.getByRole('button', { name: verb, exact: false }).click();
      await page.getByRole('dialog', { name: `${verb} mail` }).waitFor();
      await page.getByLabel('Reason').fill(reason);
      await button(verb).last().click();
      await button('Close').last().click();
      await row.locator('.badge', { hasText: badge }).waitFor();
      const [, asked] = await audit();
      const action = `participant.${verb.toLowerCase()}`;
      expect(asked).toMatchObject({ action, reason, who: 'ada' });
    }
    await page.getByRole('link', { name: 'Audit' }).click();
    await page.getByText('it is well again').last().waitFor();
    await button('Verify the chain').click();
    await page.getByText('The chain holds').waitFor();
  });

  it('obeys its policy, and no script fails', () => {
    expect(complaints).toEqual([]);
  });
});
