/**
 * Loaded into a coordinator process by `--import`, as an operator loads his SDK: registers a provider
 * whose spans are written to the file SPANS_FILE, a line each, before anything else happens.
 */
import { appendFileSync } from 'node:fs';
import { trace } from '@opentelemetry/api';
import { notingProvider } from './span-notes.ts';

const file = process.env['SPANS_FILE'] ?? '';

trace.setGlobalTracerProvider(
  notingProvider('coordinator', (note) => appendFileSync(file, `${JSON.stringify(note)}\n`)),
);
