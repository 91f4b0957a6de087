/**
 * How anything is changed from here: what would be done is shown first (a dry run), a reason is asked
 * for, and where nobody logs in a name; what came of it stays on the screen until it is closed.
 */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { isName, limits } from '../../../client-sdk/protocol/limits.ts';
import { operatorName, rememberOperator } from '../preferences.ts';
import { useIsUnnamed } from '../session.ts';
import { Dialog } from './dialog.tsx';

/** A dialog that does something. */
export interface ConfirmProps {
  readonly title: string;
  /** What would be done; the button stays off until it is known. */
  readonly preview: ComponentChildren;
  readonly isReady: boolean;
  /** What the button says: `Retry 4 transactions`. */
  readonly verb: string;
  readonly isDangerous?: boolean;
  readonly isWide?: boolean;
  /** Does it; resolves with what came of it, for people. */
  readonly act: (reason: string) => Promise<ComponentChildren>;
  readonly onClose: () => void;
}

/** Asks, does, and tells. */
export function Confirm(props: ConfirmProps) {
  const isUnnamed = useIsUnnamed();
  const [reason, setReason] = useState('');
  const [name, setName] = useState(operatorName);
  const [isBusy, setIsBusy] = useState(false);
  const [outcome, setOutcome] = useState<ComponentChildren>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    if (isUnnamed) rememberOperator(name);
    setIsBusy(true);
    setOutcome(await props.act(reason.trim()));
    setIsBusy(false);
  };
  if (outcome !== null) {
    return (
      <Dialog title={props.title} onClose={props.onClose} isWide={props.isWide === true}>
        <div class="body" role="status">
          {outcome}
        </div>
        <footer>
          <button type="button" class="primary" autofocus onClick={props.onClose}>
            Close
          </button>
        </footer>
      </Dialog>
    );
  }
  const isNamed = !isUnnamed || name === '' || isName(name);
  return (
    <Dialog title={props.title} onClose={props.onClose} isWide={props.isWide === true}>
      <form onSubmit={submit}>
        <div class="body">{props.preview}</div>
        <label>
          Reason, for the audit
          <input
            autofocus
            name="reason"
            value={reason}
            maxLength={limits.reasonLengthMax}
            onInput={(event) => setReason(event.currentTarget.value)}
            required
          />
        </label>
        {isUnnamed ? (
          <label>
            Your name, for the audit (nobody logs in here)
            <input
              name="operator"
              value={name}
              placeholder="anonymous"
              aria-invalid={!isNamed}
              onInput={(event) => setName(event.currentTarget.value)}
            />
          </label>
        ) : null}
        {isNamed ? null : (
          <p class="warn-text">A name is letters, digits and . _ : / - without blanks.</p>
        )}
        <footer>
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={props.isDangerous === true ? 'danger' : 'primary'}
            disabled={!props.isReady || isBusy || reason.trim() === '' || !isNamed}
          >
            {isBusy ? 'Working …' : props.verb}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}
