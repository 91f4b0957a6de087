/**
 * What a command may do with the terminal: results go to stdout, talk goes to stderr, and colour is
 * used only where a person reads it (NO_COLOR, --no-color and pipes switch it off).
 */
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
}

/** The terminal of this process. `isColored`: false after --no-color. */
export function processTerminal(isColored: boolean): Terminal {
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    say: (line) => void process.stderr.write(`${line}\n`),
    // validateStream makes styleText look at NO_COLOR, FORCE_COLOR and whether stdout is a terminal.
    paint: (paint, text) => (isColored ? styleText(paint, text, { stream: process.stdout }) : text),
  };
}
