/** The TypeScript files of the repository, as paths from its root. */
import { readdirSync } from 'node:fs';
import { join, relative } from 'node:path';

const skipped = new Set(['node_modules', 'dist', 'coverage', '.git', '.settle']);

/** Sorted; without installed, built and hidden folders. */
export function sourceFiles(root: string): readonly string[] {
  const found: string[] = [];
  const visit = (folder: string): void => {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      if (skipped.has(entry.name)) continue;
      const path = join(folder, entry.name);
      if (entry.isDirectory()) visit(path);
      else if (/\.tsx?$/.test(entry.name)) found.push(relative(root, path));
    }
  };
  visit(root);
  return found.sort();
}
