/**
 * Waits and pings in the console, in a real browser against a real server: a queue and a cycle as
 * services report them, and a process that answers beside one that is silent.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, type Settle } from '../../client-sdk/index.ts';
import { ChannelClient } from '../support/channel-client.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';
import {
  buildConsole,
  complaintsOf,
  describeInBrowser,
  openBrowser,
  seriousFindings,
} from './browser.ts';

/** Where the screenshots go, when they are asked for. */
const shots = process.env['SETTLE_SCREENSHOTS'];

function shotOf(folder: string, name: string): string {
  mkdirSync(folder, { recursive: true });
  return join(folder, `${name}.png`);
}

/** Who waits for whose decision. */
type Pairs = readonly (readonly [string, string])[];

describeInBrowser('waits and pings in the console', () => {
  let folder: Awaited<ReturnType<typeof scratchFolder>>;
  let server: Awaited<ReturnType<typeof startServerCommand>>;
  let settle: Settle;
  let mute: ChannelClient;
  let browser: Browser;
  let page: Page;
  let complaints: readonly string[];

  beforeAll(async () => {
    buildConsole();
    folder = await scratchFolder();
    const args = ['--log', `sqlite:${join(folder.path, 'log.db')}`];
    server = await startServerCommand(args, { folder: folder.path });
    settle = await connect({ url: server.url, service: 'bank', instance: 'bank-1' });
    mute = new ChannelClient(`${server.url.replace('http', 'ws')}/channel`);
    await mute.hello({ service: 'tax', instance: 'tax-1', methods: ['pay'] });
    browser = await openBrowser();
    page = await browser.newPage({ viewport: { width: 1380, height: 860 } });
    complaints = complaintsOf(page);
  });
  afterAll(async () => {
    await browser?.close();
    await settle?.close();
    mute?.socket.terminate();
    server?.signal('SIGTERM');
    await server?.ended;
    await folder?.remove();
  });

  const open = (path: string) => page.goto(`${server.url}/console/${path}`);

  /** Reports as services do, again and again, until the work is over. */
  async function whileWaiting(pairs: Pairs, work: () => Promise<void>): Promise<void> {
    let isOver = false;
    const working = work().finally(() => {
      isOver = true;
    });
    // Whoever awaits it hears of it, at the end.
    working.catch(() => undefined);
    for (let look = 1; !isOver; look += 1) {
      for (const [gid, other] of pairs) {
        const none = { waits: [], connections: [] };
        const body = { scope: other, look, ...none, holders: [{ id: 1, gid: other }] };
        await fetch(`${server.url}/v1/transactions/${gid}/waits`, {
          ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
          body: JSON.stringify(body),
        });
      }
    }
    await working;
  }

  it('draws who waits for whom, marks a cycle, and follows without a reload', async () => {
    await open('locks');
    const panel = page.getByRole('region', { name: 'Who waits for whom' });
    await panel.getByText('Nobody waits for a lock.').waitFor();
    const queue: Pairs = [
      ['w2', 'w1'],
      ['w3', 'w2'],
      ['w4', 'w1'],
    ];
    await whileWaiting(queue, async () => {
      const ofFirst = panel.getByRole('list', { name: 'Who waits for w1' });
      await ofFirst.getByRole('link', { name: 'w4' }).waitFor();
      const ofSecond = ofFirst.getByRole('list', { name: 'Who waits for w2' });
      await ofSecond.getByRole('link', { name: 'w3' }).waitFor();
      expect(await ofSecond.getByText('for its decision').count()).toBe(1);
      expect(await panel.getByText('in a cycle').count()).toBe(0);
      expect(await seriousFindings(page)).toEqual([]);
    });
    await panel.getByText('Nobody waits for a lock.').waitFor();
    const cycle: Pairs = [
      ['r1', 'r2'],
      ['r2', 'r1'],
    ];
    await whileWaiting(cycle, async () => {
      await panel.getByText('In a cycle, these wait').waitFor();
      await panel.getByText('gives way').waitFor();
      await panel.getByText('see above').waitFor();
      for (const colorScheme of ['dark', 'light'] as const) {
        await page.emulateMedia({ colorScheme });
        expect(await seriousFindings(page), colorScheme).toEqual([]);
        if (shots !== undefined)
          await page.screenshot({ path: shotOf(shots, `waits-${colorScheme}`) });
      }
    });
    expect(complaints).toEqual([]);
  });

  it('pings one service, or all of them, and shows the figures', async () => {
    await open('participants');
    await page.getByRole('button', { name: 'Ping bank' }).click();
    const figures = page.getByRole('region', { name: 'Answers to the ping' });
    const row = (name: string) => figures.locator('tr', { hasText: name });
    await row('bank-1').getByText('is there').waitFor();
    expect(await row('bank-1').textContent()).toMatch(/\d+\.\d ms/);
    expect(await row('tax-1').count()).toBe(0);
    await page.getByRole('button', { name: 'Ping all' }).click();
    await row('tax-1').getByText('no answer in 2000 ms').waitFor();
    await row('bank-1').getByText('is there').waitFor();
    if (shots !== undefined) await page.screenshot({ path: shotOf(shots, 'ping-light') });
    expect(await seriousFindings(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });
});
