/**
 * How transactions are searched for, as JSON schemas. Guards that an operation takes the very queries
 * that a list takes: what an operator has seen is what is operated on.
 */
import { limits } from '../../client-sdk/protocol/index.ts';
import { gid, mode, name, natural, phase, type Schema } from './schema-parts.ts';

const instant = (description: string): Schema => ({ ...natural, description });

/** Grammar of a label that is searched for: a key, `=`, a value. */
export const labelPattern = `^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}=[\\s\\S]{0,${limits.labelLengthMax}}$`;

/** Fields of `TransactionQuery`; those that contradict each other are the engine's business. */
export const queryFields = {
  mode,
  name,
  gid: { ...gid, description: 'How the gid begins.' },
  outcome: {
    type: 'string',
    enum: ['open', 'committed', 'rolledBack'],
    description: 'open: not finished yet.',
  },
  phase,
  attention: { type: 'boolean', description: 'true: only those that need a human.' },
  label: { type: 'string', pattern: labelPattern, description: 'key=value' },
  startedAfterMs: instant('Started at that time or later.'),
  startedBeforeMs: instant('Started before that time.'),
  service: {
    ...name,
    description: 'Open ones with an unfinished branch or step there; of an address its origin.',
  },
  method: { ...name, description: 'The same, of this method; of a resource at.<resource>.' },
  error: {
    type: 'string',
    minLength: 1,
    maxLength: limits.detailLengthMax,
    description: 'Open ones: part of what went wrong last, or of why a human is needed.',
  },
} as const satisfies Record<string, Schema>;
