/** Why a demo could not come to its end; a broken ledger is no failure but a finding. */

/** `message` is one sentence for people; `tail` is what a process that ended wrote last, or empty. */
export class DemoFailure extends Error {
  override readonly name = 'DemoFailure';
  readonly tail: string;

  constructor(message: string, tail = '') {
    super(message);
    this.tail = tail;
  }
}
