/** The protocol between SDK and coordinator: types, limits and codes; no behaviour, no imports. */
export * from './audit-outcome.ts';
export * from './channel.ts';
export * from './desk.ts';
export * from './dirty-row.ts';
export * from './errors.ts';
export * from './instance.ts';
export * from './limits.ts';
export * from './moment.ts';
export * from './requests.ts';
export * from './trace.ts';
export * from './undo.ts';
export * from './words.ts';
