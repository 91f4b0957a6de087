/**
 * Every screen in light and dark, over a company at work with one of each trouble: no serious finding
 * of axe, no complaint of the page, nothing that scrolls sideways. With `SETTLE_SCREENSHOTS=DIR` the
 * company works for five minutes first and the pictures stay there; with `SETTLE_DOCS_PICTURES=yes`
 * (`npm run pictures`) those of the docs are made anew.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeOn } from '../support/databases.ts';
import { scratchFolder, startServerCommand } from '../support/settle-command.ts';
import {
  buildConsole,
  complaintsOf,
  describeInBrowser,
  openBrowser,
  seriousFindings,
} from './browser.ts';
import {
  leaveReadable,
  openTown,
  plantUnreadable,
  postTo,
  type Town,
  type Trouble,
} from './town.ts';

const shots = process.env['SETTLE_SCREENSHOTS'];
const isForDocs = process.env['SETTLE_DOCS_PICTURES'] === 'yes';
const docsFolder = join(import.meta.dirname, '..', '..', 'docs', 'operations', 'images');
/** Pictures have a past: the chart of the Overview shows five minutes. */
const secondsOfWork = shots !== undefined || isForDocs ? 300 : 3;

/** Until the panel with this heading begins at the top of the window. */
async function scrollTo(page: Page, heading: string): Promise<void> {
  await page.evaluate(`document.querySelector('${heading}').closest('section').scrollIntoView()`);
}

/** A view, and what is done there before it is looked at. */
interface View {
  readonly path: (trouble: Trouble) => string;
  readonly prepare?: (page: Page) => Promise<void>;
  /** File of the docs, and its theme. */
  readonly docs?: { readonly file: string; readonly theme: 'light' | 'dark' };
}

const at = (path: string) => () => path;
const transaction = (name: keyof Trouble) => (trouble: Trouble) => `transactions/${trouble[name]}`;
const light = (file: string) => ({ file: `${file}.png`, theme: 'light' as const });

const views: Readonly<Record<string, View>> = {
  overview: {
    path: at('overview'),
    docs: light('overview'),
  },
  'overview-doctor': {
    path: at('overview'),
    async prepare(page) {
      await page.getByRole('button', { name: 'Examine' }).click();
      await page.locator('.findings').first().waitFor({ timeout: 60_000 });
      await scrollTo(page, '#panel-doctor');
    },
    docs: light('doctor'),
  },
  transactions: { path: at('transactions') },
  attention: { path: at('transactions?attention=true&outcome=open'), docs: light('needs-you') },
  'bulk-retry': {
    path: at('transactions?attention=true&outcome=open'),
    async prepare(page) {
      await page.getByRole('button', { name: 'Retry …' }).click();
      await page.getByText('It concerns').waitFor();
      await page.getByLabel('Reason').fill('ticket 812: the garage is open again');
    },
    docs: light('bulk-retry'),
  },
  retries: { path: transaction('poison'), docs: light('retries') },
  refused: {
    path: transaction('dirty'),
    async prepare(page) {
      await page.getByLabel('merge: take back what it did').check();
      await page.getByLabel('cents becomes').selectOption('before');
      await scrollTo(page, '#panel-undo-rows');
    },
    docs: light('refused'),
  },
  'refused-resolve': {
    path: transaction('dirty'),
    async prepare(page) {
      await page.getByLabel('keep: as it is now').check();
      await page.getByRole('button', { name: 'Resolve 1 row' }).click();
      await page.getByText('nothing is written yet').waitFor();
    },
  },
  unreadable: { path: at('transactions/order-4713'), docs: light('unreadable') },
  abandoned: { path: transaction('abandoned') },
  saga: { path: transaction('trip') },
  wide: { path: transaction('wide') },
  'not-found': { path: at('transactions/no-such-gid') },
  locks: { path: at('locks') },
  'locks-held': {
    path: at('locks?service=shop&resource=orders'),
    prepare: (page) => page.getByRole('row', { name: /article/ }).waitFor(),
  },
  participants: {
    path: at('participants'),
    prepare: (page) => page.getByRole('row', { name: /points/ }).waitFor(),
    docs: light('participants'),
  },
  cluster: {
    path: at('cluster'),
    async prepare(page) {
      await page.getByRole('button', { name: 'Read all records back' }).click();
      await page.getByText(/fault/).waitFor({ timeout: 60_000 });
    },
  },
  audit: {
    path: at('audit?at=3'),
    async prepare(page) {
      await page.getByRole('button', { name: 'Verify the chain' }).click();
      await page.getByText('The chain holds').waitFor();
    },
    docs: light('audit'),
  },
  settings: { path: at('settings') },
  nowhere: { path: at('nowhere') },
};

await describeOn('postgres', (postgres) => {
  describeInBrowser('screens of the console', () => {
    let folder: Awaited<ReturnType<typeof scratchFolder>>;
    let server: Awaited<ReturnType<typeof startServerCommand>>;
    let browser: Browser;
    let town: Town;
    let trouble: Trouble;
    let business: Promise<void>;
    const closed = new AbortController();

    beforeAll(async () => {
      buildConsole();
      folder = await scratchFolder();
      const log = join(folder.path, 'log.db');
      const args = ['--log', `sqlite:${log}`, '--node', 'settle-1'];
      args.push(
        '--attention-after-attempts',
        '4',
        '--retry-initial',
        '300ms',
        '--retry-max',
        '20s',
      );
      const start = () => startServerCommand(args, { folder: folder.path });
      server = await start();
      await leaveReadable(server.url);
      server.signal('SIGTERM');
      await server.ended;
      plantUnreadable(log);
      server = await start();
      const ground = { url: server.url, folder: folder.path };
      town = await openTown({ ...ground, database: await postgres.newDatabase() });
      trouble = await town.leaveTrouble();
      await leaveRecord(server.url, trouble);
      const hasPast = Promise.withResolvers<void>();
      business = doBusiness(closed.signal, (second) => {
        if (second >= secondsOfWork) hasPast.resolve();
      });
      await Promise.race([hasPast.promise, business]);
      browser = await openBrowser();
    }, 600_000);
    afterAll(async () => {
      await browser?.close();
      closed.abort();
      await business;
      await town?.close();
      server?.signal('SIGTERM');
      await server?.ended;
      await folder?.remove();
    });

    /** A second of business with each tick of the coordinator's own stream, until the end. */
    async function doBusiness(until: AbortSignal, onSecond: (second: number) => void) {
      const stream = await fetch(`${server.url}/v1/events`, { signal: until });
      const reader = (stream.body ?? new ReadableStream()).getReader();
      for (let second = 0; !until.aborted; second++) {
        const { done } = await reader.read().catch(() => ({ done: true }));
        if (until.aborted) return;
        // Nothing but the end of the tests may end it: a stream that is over would be asked for ever.
        if (done) throw new Error('the stream of the coordinator has ended');
        await town.work(second);
        onSecond(second);
      }
    }

    async function openView(page: Page, { path, prepare }: View): Promise<void> {
      await page.goto(`${server.url}/console/${path(trouble)}`);
      await page.locator('h1').waitFor();
      await page.waitForLoadState('load');
      const busy = page.locator('[aria-busy="true"]');
      await expect.poll(() => busy.count(), { timeout: 30_000 }).toBe(0);
      await prepare?.(page).catch(async (cause: unknown) => {
        throw new Error(`${path(trouble)} shows ${await page.textContent('main')}`, { cause });
      });
    }

    async function shoot(page: Page, name: string, theme: 'light' | 'dark'): Promise<void> {
      const own = views[name]?.docs;
      const isInDocs = isForDocs && own?.theme === theme;
      if (isInDocs) await page.screenshot({ path: join(docsFolder, own.file) });
      if (shots === undefined) return;
      mkdirSync(shots, { recursive: true });
      await page.screenshot({ path: join(shots, `${name}-${theme}.png`) });
    }

    it.each(['light', 'dark'] as const)(
      'in %s, without a serious finding',
      async (theme) => {
        const page = await browser.newPage({
          viewport: { width: 1280, height: 800 },
          colorScheme: theme,
        });
        const complaints = complaintsOf(page);
        for (const [name, view] of Object.entries(views)) {
          await openView(page, view);
          await shoot(page, name, theme);
          expect(await page.getByText('does not offer it yet').count(), name).toBe(0);
          expect(await seriousFindings(page), `${name} ${theme}`).toEqual([]);
        }
        expect(complaints).toEqual([]);
        await page.close();
      },
      400_000,
    );

    it.each([1024, 1920])(
      'fit into %i px',
      async (width) => {
        const page = await browser.newPage({ viewport: { width, height: 800 } });
        for (const [name, view] of Object.entries(views)) {
          await openView(page, view);
          const over = await page.evaluate(
            'document.documentElement.scrollWidth - document.documentElement.clientWidth',
          );
          expect(over, name).toBe(0);
          if (shots === undefined) continue;
          await page.screenshot({ path: join(shots, `${name}-${width}.png`) });
        }
        await page.close();
      },
      400_000,
    );

    it('draws 256 branches before anybody has to wait', async () => {
      const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
      const times: number[] = [];
      for (const _ of [1, 2, 3]) {
        const startedAt = performance.now();
        await page.goto(`${server.url}/console/transactions/${trouble.wide}`);
        await page.locator('#branch-256').waitFor({ state: 'attached' });
        times.push(performance.now() - startedAt);
      }
      await page.close();
      process.stderr.write(`256 branches: ${times.map((ms) => Math.round(ms)).join(', ')} ms\n`);
      // A tenth of it on a quiet machine; what is guarded is that it does not grow with its square.
      expect(Math.min(...times)).toBeLessThan(5_000);
    });
  });
});

/** What two operators have done, so that the audit has something to tell. */
async function leaveRecord(url: string, { poison, wide }: Trouble): Promise<void> {
  const operate = (body: object) => postTo(url, '/v1/operations', body);
  await operate({ action: 'retry', gids: [poison], reason: 'ticket 811: points say it is mended' });
  const skip = { action: 'skip', gids: [wide], branchId: 1, operation: 'cancel' };
  await operate({ ...skip, reason: 'ticket 812: paid back by hand, receipt 77' });
  const reason = 'ticket 813: moves to another machine tonight';
  await postTo(url, '/v1/participants/branch-office-3/drain', { reason });
}
