/**
 * The system's Chromium, headless, and the console as it is built now. Without a browser the suite is
 * skipped and says so; under CI it fails.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import { describe, expect } from 'vitest';
import { skipSuite } from '../support/databases.ts';

const root = join(import.meta.dirname, '..', '..');
const executablePath = '/usr/bin/chromium';
const args = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Declares a suite that needs a browser. */
export function describeInBrowser(name: string, suite: () => void): void {
  if (existsSync(executablePath)) describe(name, suite);
  else skipSuite(name, `there is no ${executablePath}`);
}

/** A new browser; the caller closes it. */
export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath, args });
}

/** Builds the console, as `npm run build:console` does. */
export function buildConsole(): void {
  execFileSync(process.execPath, [join(root, '.ci', 'build-console.ts')], { stdio: 'inherit' });
}

/** Serious and critical findings of axe on the page as it is. */
export async function seriousFindings(page: Page): Promise<readonly string[]> {
  const axe = readFileSync(join(root, 'node_modules', 'axe-core', 'axe.min.js'), 'utf8');
  // Runs inside of the page, which has no type for it.
  const found = await page.evaluate(`${axe};
    axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html.slice(0, 200)).join(' | ')))`);
  expect(Array.isArray(found)).toBe(true);
  return found as readonly string[];
}

/** What the page complains of: errors of scripts, breaches of its policy, what it cannot load. */
export function complaintsOf(page: Page): readonly string[] {
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    // A refusal of the API (no session, no such gid, unreadable) is an answer, which the page tells.
    const isRefusal = / status of \d+ /.test(message.text()) && isOfApi(message.location().url);
    if (message.type() === 'error' && !isRefusal) complaints.push(message.text());
  });
  return complaints;
}

function isOfApi(url: string): boolean {
  return url !== '' && new URL(url).pathname.startsWith('/v1/');
}
