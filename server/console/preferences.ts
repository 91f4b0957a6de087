/**
 * What this browser remembers: theme, who he says he is, saved views. Kept in its local storage; where
 * there is none everything works, and is forgotten.
 */

/** `auto`: as the system has it. */
export type Theme = 'auto' | 'light' | 'dark';

/** A search of transactions with a name. */
export interface SavedView {
  readonly name: string;
  /** The query of the address, without `?`. */
  readonly query: string;
}

const prefix = 'settle.';
const viewsMax = 50;

function read(name: string): string | null {
  try {
    return localStorage.getItem(prefix + name);
  } catch {
    return null;
  }
}

function write(name: string, value: string): void {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // Storage that is full or forbidden costs nothing but the memory of it.
  }
}

/** The theme that was chosen. */
export function theme(): Theme {
  const chosen = read('theme');
  return chosen === 'light' || chosen === 'dark' ? chosen : 'auto';
}

/** Chooses one, and shows it at once. */
export function chooseTheme(chosen: Theme): void {
  write('theme', chosen);
  showTheme();
}

/** Puts the chosen theme on the page. */
export function showTheme(): void {
  const chosen = theme();
  if (chosen === 'auto') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.setAttribute('data-theme', chosen);
}

/** Who changes something where nobody logs in: his name for the audit, or empty. */
export function operatorName(): string {
  return read('operator') ?? '';
}

/** Remembers it. */
export function rememberOperator(name: string): void {
  write('operator', name);
}

/** In the order in which they were saved. */
export function savedViews(): readonly SavedView[] {
  try {
    const views: unknown = JSON.parse(read('views') ?? '[]');
    return Array.isArray(views) ? views.filter(isView) : [];
  } catch {
    return [];
  }
}

/** Saves one; one of that name is replaced. */
export function saveView(view: SavedView): readonly SavedView[] {
  return keepViews([...savedViews().filter(({ name }) => name !== view.name), view]);
}

/** Forgets one. */
export function forgetView(name: string): readonly SavedView[] {
  return keepViews(savedViews().filter((view) => view.name !== name));
}

function keepViews(views: readonly SavedView[]): readonly SavedView[] {
  const kept = views.slice(-viewsMax);
  write('views', JSON.stringify(kept));
  return kept;
}

function isView(value: unknown): value is SavedView {
  if (value === null || typeof value !== 'object') return false;
  return (
    'name' in value &&
    typeof value.name === 'string' &&
    'query' in value &&
    typeof value.query === 'string'
  );
}
