/** Who may see the console where tokens are needed: nobody without one, and a viewer changes nothing. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';
import { buildConsole, describeInBrowser, openBrowser, seriousFindings } from './browser.ts';

const tokens = { vera: 'token-of-the-viewer', otto: 'token-of-the-operator' };

describeInBrowser('the login of the console', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let server: Awaited<ReturnType<typeof startServerCommand>>;
  let browser: Browser;
  let page: Page;

  beforeAll(async () => {
    buildConsole();
    folder = await scratchFolder();
    const file = join(folder.path, 'tokens.json');
    const entry = (name: keyof typeof tokens, role: string) => {
      const sha256 = createHash('sha256').update(tokens[name]).digest('hex');
      return { name, role, sha256 };
    };
    writeFileSync(file, JSON.stringify([entry('vera', 'viewer'), entry('otto', 'operator')]));
    const log = `sqlite:${join(folder.path, 'log.db')}`;
    server = await startServerCommand(['--log', log, '--tokens', file], { folder: folder.path });
    browser = await openBrowser();
    page = await browser.newPage();
  });
  afterAll(async () => {
    await browser?.close();
    server?.signal('SIGTERM');
    await server?.ended;
    await folder?.remove();
  });

  async function logIn(token: string): Promise<void> {
    await page.getByLabel('Token').fill(token);
    await page.getByRole('button', { name: 'Log in' }).click();
  }

  it('asks for a token, takes no wrong one, and leads to where one wanted to go', async () => {
    await page.goto(`${server.url}/console/transactions?outcome=open`);
    await logIn('no-token-at-all');
    await page.getByRole('alert').waitFor();
    expect(await seriousFindings(page)).toEqual([]);
    await logIn(tokens.vera);
    await page.getByRole('heading', { name: 'Transactions' }).waitFor();
    await page.getByText('vera (viewer)').waitFor();
    expect(await page.getByRole('button', { name: /Retry|Roll back|Count as done/ }).count()).toBe(
      0,
    );
  });

  it('lets an operator change, and forgets who has logged out', async () => {
    await page.getByRole('button', { name: 'Log out' }).click();
    await logIn(tokens.otto);
    await page.getByText('otto (operator)').waitFor();
    await page.getByRole('button', { name: 'Retry …' }).waitFor();
    // A session that has ended leads back to the login, from wherever it is noticed.
    await page.context().clearCookies();
    await page.getByRole('link', { name: 'Audit' }).click();
    await logIn(tokens.otto);
    await page.getByRole('heading', { name: 'Audit' }).waitFor();
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.reload();
    await page.getByLabel('Token').waitFor();
    // The token was for the body of one request: the browser keeps nothing of it.
    const kept = await page.evaluate(
      'JSON.stringify([localStorage, sessionStorage, document.cookie])',
    );
    expect(kept).not.toContain('token-of');
  });
});
