/**
 * The keyboard: one listener for the page, which leaves keys alone while somebody writes, holds a
 * modifier, or has a dialog open. j and k move over whatever has `data-row`; Enter opens its link.
 */
import { useEffect } from 'preact/hooks';

/** Keys that only the shell knows what to do with. */
export interface ShellKeys {
  help(): void;
  /** `g` and then a letter. */
  screen(letter: string): void;
  back(): void;
}

/** Listens for as long as the component is there. */
export function useKeys(shell: ShellKeys): void {
  // The functions of the shell never change what they do: one listener is enough.
  useEffect(() => {
    let isGoing = false;
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || isBusy(event)) return;
      const wasGoing = isGoing;
      isGoing = false;
      if (wasGoing) return shell.screen(event.key);
      switch (event.key) {
        case '?':
          return shell.help();
        case '/':
          return focusOn(event, '[data-search]');
        case 'j':
          return step(event, 1);
        case 'k':
          return step(event, -1);
        case 'g':
          isGoing = true;
          return;
        case 'x':
          return tick();
        case 'Escape':
          return shell.back();
        default:
      }
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, []);
}

function isBusy({ target, key }: KeyboardEvent): boolean {
  if (document.querySelector('dialog[open]') !== null) return true;
  if (!(target instanceof HTMLElement)) return false;
  if (target.matches('input[type=checkbox], input[type=radio]')) return false;
  const isField = target.matches('input, textarea, select');
  if (isField && key === 'Escape') target.blur();
  return isField;
}

function focusOn(event: Event, selector: string): void {
  const element = document.querySelector<HTMLElement>(selector);
  if (element === null) return;
  event.preventDefault();
  element.focus();
}

function rows(): readonly HTMLElement[] {
  return [...document.querySelectorAll<HTMLElement>('[data-row]')];
}

/** The link of the next row gets the focus, so that Enter opens it and a screen reader says it. */
function step(event: Event, by: 1 | -1): void {
  const all = rows();
  if (all.length === 0) return;
  const now = all.findIndex((row) => row.contains(document.activeElement));
  const next = now === -1 ? 0 : Math.min(all.length - 1, Math.max(0, now + by));
  const row = all[next];
  event.preventDefault();
  (row?.querySelector<HTMLElement>('a, button, summary') ?? row)?.focus();
  row?.scrollIntoView({ block: 'nearest' });
}

function tick(): void {
  const row = rows().find((each) => each.contains(document.activeElement));
  row?.querySelector<HTMLInputElement>('input[type=checkbox]')?.click();
}
