/**
 * What a command may do with the terminal: results go to stdout, talk goes to stderr, and colour is
 * used only where a person reads it (NO_COLOR, --no-color and pipes switch it off). A question is
 * asked only where somebody sits.
 */
import { createInterface } from 'node:readline/promises';
import { styleText } from 'node:util';

/** Colours that commands use; the names are those of `util.styleText`. */
export type Paint = 'bold' | 'dim' | 'green' | 'red' | 'yellow' | 'cyan';

/** Where a command writes. */
export interface Terminal {
  /** A line of results. */
  print(line: string): void;
  /** A line of talk. */
  say(line: string): void;
  /** The text in a colour, if stdout takes colours. */
  paint(paint: Paint, text: string): string;
  /** Somebody sits there and can be asked. */
  readonly isAsking: boolean;
  /** Results go to a terminal, which can be drawn over. */
  readonly isScreen: boolean;
  /** Talk goes to a terminal. */
  readonly isTalkScreen: boolean;
  /** True for yes; an empty line is no. Only where `isAsking`. */
  confirm(question: string): Promise<boolean>;
  /** Replaces the last line of talk; only where `isTalkScreen`. */
  redraw(line: string): void;
  /** Replaces the whole screen; only where `isScreen`. */
  show(lines: readonly string[]): void;
  /** Characters of a line of stdout. */
  width(): number;
}

const widthDefault = 100;
const rowsDefault = 24;

/** The terminal of this process. `isColored`: false after --no-color. */
export function processTerminal(isColored: boolean): Terminal {
  const { stdin, stdout, stderr } = process;
  return {
    print: (line) => void stdout.write(`${line}\n`),
    say: (line) => void stderr.write(`${line}\n`),
    // validateStream makes styleText look at NO_COLOR, FORCE_COLOR and whether stdout is a terminal.
    paint: (paint, text) => (isColored ? styleText(paint, text, { stream: stdout }) : text),
    isAsking: stdin.isTTY === true,
    isScreen: stdout.isTTY === true,
    isTalkScreen: stderr.isTTY === true,
    async confirm(question) {
      const lines = createInterface({ input: stdin, output: stderr });
      // Ctrl-D and Ctrl-C close it without an answer: that is no.
      const closed = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
      const answer = await Promise.race([lines.question(`${question} [y/N] `), closed]);
      lines.close();
      return /^y(es)?$/i.test(answer.trim());
    },
    redraw: (line) => void stderr.write(`\r\u001b[2K${line}`),
    show(lines) {
      // From the top, each line cleared to its end, and what is below: it does not flicker. What is
      // too wide is cut by the terminal (7l: no wrapping), what is too long by us.
      const seen = lines.slice(0, Math.max(1, (stdout.rows ?? rowsDefault) - 1));
      const text = seen.map((line) => `${line}\u001b[K\n`).join('');
      stdout.write(`\u001b[?7l\u001b[H${text}\u001b[J\u001b[?7h`);
    },
    width: () => stdout.columns ?? widthDefault,
  };
}
