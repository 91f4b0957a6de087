/**
 * Names of tables and columns as texts of SQL for MySQL. In backticks, for these mean the same in
 * every sql_mode.
 */

/** The name as SQL reads it under every setting. */
export function quoted(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** Splits what {@link quoted} made and a dot joined; parts without backticks are taken as they are. */
export function partsOf(name: string): readonly string[] {
  const parts = name.match(/`(?:[^`]|``)*`|[^.`]+/g) ?? [];
  return parts.map((part) =>
    part.startsWith('`') ? part.slice(1, -1).replaceAll('``', '`') : part,
  );
}
