/**
 * How far long work is, on stderr: a bar that is drawn over on a terminal, else a line at the start
 * of each tenth. Results are not its business.
 */
import type { Terminal } from './terminal.ts';

/** Tells how far it is. */
export interface Progress {
  /** So many are done by now. */
  reach(done: number): void;
  /** Ends the line of the bar. */
  end(): void;
}

const barWidth = 30;

/** `total` null: nobody knows how many there are; then only the count is told. */
export function startProgress(terminal: Terminal, what: string, total: number | null): Progress {
  let told = -1;
  let isDrawn = false;
  return {
    reach(done) {
      if (terminal.isTalkScreen) {
        terminal.redraw(`${what} ${total === null ? String(done) : barText(done, total)}`);
        isDrawn = true;
        return;
      }
      const step = total === null ? done : Math.floor((done * 10) / Math.max(total, 1));
      if (step === told) return;
      told = step;
      terminal.say(total === null ? `${what}: ${done}` : `${what}: ${done} of ${total}`);
    },
    end() {
      if (isDrawn) terminal.say('');
      isDrawn = false;
    },
  };
}

function barText(done: number, total: number): string {
  const share = total === 0 ? 1 : Math.min(done / total, 1);
  const full = Math.round(share * barWidth);
  const bar = '█'.repeat(full) + '░'.repeat(barWidth - full);
  return `${bar} ${String(Math.floor(share * 100)).padStart(3)} % ${done}/${total}`;
}
