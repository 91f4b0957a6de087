/**
 * Golden traces: every story under `traces/` is played and compared with what it says itself.
 * `UPDATE_TRACES=1` writes the output into the files; read the difference before you commit it.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { playTrace } from './trace.ts';

const folder = join(import.meta.dirname, 'traces');
const files = globSync('*/*.txt', { cwd: folder }).sort();

describe('traces', () => {
  test('there are enough of them, and their names do not clash', () => {
    expect(files.length).toBeGreaterThanOrEqual(60);
    const numbers = files.map((file) => file.replace(/-.*/, ''));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  test.each(files)('%s', (file) => {
    const path = join(folder, file);
    const story = readFileSync(path, 'utf8');
    expect(story).toMatch(/^# /);
    const played = playTrace(story);
    if (process.env['UPDATE_TRACES'] === '1') writeFileSync(path, played);
    else expect(played).toBe(story);
  });
});
