/** The lists that are measured: every filter, pairs, and combinations that are rare in every index. */
import { apartMs, startMs } from './fill.ts';

const middleMs = startMs + 400_000 * apartMs;
const hourMs = 3_600_000;
const hour = `startedAfterMs=${middleMs}&startedBeforeMs=${middleMs + hourMs}`;
/** Of gids that began within 65 s; of those of about 13 hours. */
const [narrow, broad] = [middleMs, middleMs].map((ms, i) => {
  const hex = ms.toString(16).padStart(12, '0');
  return i === 0 ? hex.slice(0, 8) : hex.slice(0, 5);
});

/** Query strings; the limit is 50. */
export const lists: readonly string[] = [
  '',
  'sort=oldest',
  'mode=saga',
  'mode=transaction',
  'name=transfer',
  'name=trip&sort=oldest',
  'name=rare',
  'name=never',
  'outcome=committed',
  'outcome=rolledBack',
  'outcome=rolledBack&sort=oldest',
  'attention=true',
  'attention=true&outcome=committed',
  'label=region%3Deu',
  'label=tenant%3Dt17',
  'label=customer%3Dc4711',
  'label=customer%3Dnobody',
  `gid=${narrow}`,
  `gid=${broad}`,
  'gid=open-000042',
  'gid=never',
  hour,
  `${hour}&outcome=rolledBack`,
  `${hour}&sort=oldest&name=trip`,
  'mode=saga&outcome=rolledBack',
  'mode=transaction&outcome=rolledBack',
  'mode=transaction&name=trip',
  'mode=saga&name=transfer',
  'name=trip&outcome=rolledBack',
  'name=rare&outcome=rolledBack',
  'name=transfer&attention=true',
  'label=region%3Deu&outcome=rolledBack',
  'label=region%3Deu&name=rare',
  'label=region%3Deu&mode=saga&outcome=rolledBack',
  'label=tenant%3Dt17&mode=saga',
  'label=tenant%3Dt17&name=trip&outcome=committed',
  `label=region%3Deu&gid=${narrow}`,
  `label=tenant%3Dt17&gid=${broad}&name=trip`,
  `mode=saga&outcome=rolledBack&name=trip&gid=${broad}&sort=oldest`,
  'outcome=open',
  'outcome=open&sort=oldest',
  'outcome=open&name=purchase',
  'outcome=open&label=tenant%3Dt17',
  'outcome=open&label=tenant%3Dnobody',
  'outcome=open&attention=true',
  'phase=committing',
  'phase=active',
  'service=bank-7',
  'service=stock-rare&method=reserve',
  'method=debit',
  'service=nobody',
  'error=is%20not%20connected',
  'error=no%20such%20words%20anywhere',
];
