/**
 * What people have done: newest first, each with what was asked, why, and what came of it. The chain
 * can be verified from here; the hash of its end, kept elsewhere, tells that nothing was cut off.
 */
import { useState } from 'preact/hooks';
import { auditOutcome } from '../../../client-sdk/protocol/audit-outcome.ts';
import type { AuditAnswer, AuditVerdict, AuditView } from '../../../client-sdk/protocol/desk.ts';
import { useAnswer } from '../answer.ts';
import { type Answered, look, withQuery } from '../ask.ts';
import { Badge, Empty, GidLink, JsonText, Loading, Panel, Refusal, Time } from '../parts/shown.tsx';
import { href } from '../route.ts';
import { count } from '../wording.ts';
import { about } from './audit-words.ts';

const pageSize = 50;

/** The screen. `?at=N` opens at that entry, `?before=N` at the page before it. */
export function AuditScreen({ query }: { query: URLSearchParams }) {
  const at = Number(query.get('at') ?? 0);
  const before = query.get('before') ?? (at > 0 ? String(at + pageSize / 2) : undefined);
  const path = withQuery('/v1/audit', { limit: pageSize, before });
  const { body, refused } = useAnswer<AuditAnswer>(path);
  const ends = new Map(
    body?.entries.flatMap((entry) => (entry.of === null ? [] : [[entry.of, entry] as const])),
  );
  const next = body?.nextBefore ?? null;
  return (
    <>
      <h1>Audit</h1>
      <Verify />
      <Panel title="Entries" class="flush">
        {refused === null ? null : <Refusal refused={refused} what="Audit" />}
        {body === null && refused === null ? <Loading /> : null}
        {body?.entries.length === 0 ? <Empty>Nobody has changed anything yet.</Empty> : null}
        <ol class="audit">
          {body?.entries.map((entry) => (
            <Entry
              key={entry.seq}
              entry={entry}
              end={ends.get(entry.seq) ?? null}
              isOpen={entry.seq === at}
            />
          ))}
        </ol>
        <footer class="pager">
          {before === undefined ? null : <a href={href(['audit'])}>Newest</a>}
          {next === null ? null : <a href={href(['audit'], { before: String(next) })}>Older</a>}
        </footer>
      </Panel>
    </>
  );
}

function Entry(props: { entry: AuditView; end: AuditView | null; isOpen: boolean }) {
  const { entry, end, isOpen } = props;
  return (
    <li id={`entry-${entry.seq}`} class={entry.stage}>
      <details open={isOpen}>
        <summary data-row>
          <span class="number mono">{entry.seq}</span>
          <Time atMs={entry.atMs} />
          <strong>{entry.who}</strong>
          <span class="mono">{entry.action}</span>
          <Stage entry={entry} end={end} />
          <span class="reason">{entry.reason}</span>
        </summary>
        <div class="pair">
          <div>
            <h3>What it was about</h3>
            <JsonText value={entry.target} />
          </div>
          {entry.stage === 'asked' ? null : (
            <div>
              <h3>Before and after</h3>
              <JsonText value={{ before: entry.before, after: entry.after }} />
            </div>
          )}
        </div>
        <p class="hash faint">
          hash <code>{entry.hash}</code>
        </p>
      </details>
      <div class="about">
        <About entry={entry} />
      </div>
    </li>
  );
}

const gidsShown = 3;

/** Whom it concerns: all of it stands one click away. */
function About({ entry }: { entry: AuditView }) {
  const { gids, service, isQuery } = about(entry);
  if (service !== null) {
    return (
      <a class="mono" href={href(['participants'])}>
        {service}
      </a>
    );
  }
  const rest = gids.length - gidsShown;
  return (
    <>
      {isQuery ? <span>{count(gids.length)} by a query</span> : null}
      {gids.slice(0, gidsShown).map((gid) => (
        <GidLink key={gid} gid={gid} />
      ))}
      {rest > 0 ? <span class="faint">and {count(rest)} more</span> : null}
    </>
  );
}

function Stage({ entry, end }: { entry: AuditView; end: AuditView | null }) {
  if (entry.stage === 'done') {
    const { text, tone } = auditOutcome(entry);
    return (
      <Badge tone={tone}>
        {text}, asked as {entry.of}
      </Badge>
    );
  }
  return <Badge>{end === null ? 'asked' : `asked, ${auditOutcome(end).text} as ${end.seq}`}</Badge>;
}

function Verify() {
  const [verdict, setVerdict] = useState<Answered<AuditVerdict> | 'asking' | null>(null);
  const verify = async () => {
    setVerdict('asking');
    setVerdict(await look<AuditVerdict>('/v1/audit/verify'));
  };
  return (
    <div class="verify">
      <button type="button" onClick={verify} disabled={verdict === 'asking'}>
        Verify the chain
      </button>
      <div role="status">
        {verdict === 'asking' ? 'Reading all of it …' : null}
        {verdict === null || verdict === 'asking' ? null : <Verdict verdict={verdict} />}
      </div>
    </div>
  );
}

function Verdict({ verdict }: { verdict: Answered<AuditVerdict> }) {
  if (!verdict.ok) return <Refusal refused={verdict.refused} what="Not verified" />;
  const { entries, head, brokenAt } = verdict.body;
  if (brokenAt !== null) {
    return (
      <p class="notice bad">
        Entry {brokenAt} is not as it was written. What stands before it ({entries}) holds.
      </p>
    );
  }
  return (
    <p class="notice good">
      The chain holds: {entries === 1 ? '1 entry' : `${entries} entries`}, head <code>{head}</code>
    </p>
  );
}
