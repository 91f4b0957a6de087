/** Answers that never change, kept for those who ask again. */

/**
 * The same function, with its answers for up to `countMax` different texts kept; beyond it forgets
 * them all and begins again. For few texts that are asked for often: whoever sends many pays for each.
 */
export function remembered<T>(
  answerTo: (text: string) => T,
  countMax: number,
): (text: string) => T {
  const answers = new Map<string, T>();
  return (text) => {
    const known = answers.get(text);
    if (known !== undefined) return known;
    const answer = answerTo(text);
    if (answers.size >= countMax) answers.clear();
    answers.set(text, answer);
    return answer;
  };
}
