/**
 * Who waits for whom, and who holds which rows, asked of the participant whose database it is. A lock
 * is an undo row: it ends with its transaction, so every lock leads there.
 */
import type { ParticipantsAnswer, ParticipantView } from '../../../client-sdk/protocol/desk.ts';
import type { LocksAnswer } from '../../../client-sdk/protocol/undo.ts';
import { useAnswer } from '../answer.ts';
import { withQuery } from '../ask.ts';
import { Age, Empty, GidLink, Panel, Refusal, Table, Time } from '../parts/shown.tsx';
import { go, href } from '../route.ts';
import { counted } from '../wording.ts';
import { LockGraph } from './lock-graph.tsx';

const limit = 100;
const resourceMethod = /^at\.(.+)$/;

/** The screen; which resource is asked stands in the address. */
export function LocksScreen({ query }: { query: URLSearchParams }) {
  const participants = useAnswer<ParticipantsAnswer>('/v1/participants', () => false);
  const resources = (participants.body?.participants ?? []).flatMap(resourcesOf);
  const service = query.get('service') ?? '';
  const resource = query.get('resource') ?? '';
  return (
    <>
      <h1>Locks</h1>
      <LockGraph />
      {participants.refused === null ? null : (
        <Refusal refused={participants.refused} what="Known resources" />
      )}
      <Which query={query} resources={resources} />
      {service === '' || resource === '' ? (
        <Empty>
          Choose a resource: its participant is asked which rows are held in its database.
        </Empty>
      ) : (
        <Held service={service} resource={resource} query={query} />
      )}
    </>
  );
}

interface Resource {
  readonly service: string;
  readonly resource: string;
}

function resourcesOf({ service, instances }: ParticipantView): readonly Resource[] {
  const names = instances.flatMap(({ methods }) =>
    methods.flatMap((method) => resourceMethod.exec(method)?.[1] ?? []),
  );
  return [...new Set(names)].map((resource) => ({ service, resource }));
}

function Which({ query, resources }: { query: URLSearchParams; resources: readonly Resource[] }) {
  const submit = (event: Event & { readonly currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const fields = [...new FormData(event.currentTarget)].map(([name, value]) => [
      name,
      `${value}`,
    ]);
    const given = fields.filter(([, value]) => value !== '');
    go(href(['locks'], Object.fromEntries(given)));
  };
  return (
    <div class="filters" key={String(query)}>
      <form onSubmit={submit}>
        <Field name="service" query={query} isRequired />
        <Field name="resource" query={query} isRequired />
        <Field name="table" query={query} />
        <Field name="gid" query={query} />
        <select name="order" aria-label="Order">
          <option value="">newest first</option>
          <option value="oldest" selected={query.get('order') === 'oldest'}>
            oldest first
          </option>
        </select>
        <button type="submit">Show</button>
      </form>
      <ul class="chips" aria-label="Resources that are connected">
        {resources.map(({ service, resource }) => (
          <li key={`${service}/${resource}`}>
            <a href={href(['locks'], { service, resource })}>
              {service}/{resource}
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

function Field(props: { name: string; query: URLSearchParams; isRequired?: boolean }) {
  const { name, query, isRequired = false } = props;
  return (
    <input
      name={name}
      aria-label={name}
      placeholder={name}
      defaultValue={query.get(name) ?? ''}
      required={isRequired}
      data-search={name === 'service' ? '' : undefined}
    />
  );
}

function Held(props: { service: string; resource: string; query: URLSearchParams }) {
  const { service, resource, query } = props;
  const path = withQuery(
    `/v1/resources/${encodeURIComponent(service)}/${encodeURIComponent(resource)}/locks`,
    {
      table: query.get('table') ?? undefined,
      gid: query.get('gid') ?? undefined,
      order: query.get('order') ?? undefined,
      cursor: query.get('cursor') ?? undefined,
      limit,
    },
  );
  // It asks a database, so it follows the beat of nobody; there is a button.
  const { body, refused, isLoading, again } = useAnswer<LocksAnswer>(path, () => false);
  const next = body?.nextCursor ?? null;
  const further = new URLSearchParams(query);
  if (next !== null) further.set('cursor', next);
  const aside = (
    <button type="button" onClick={again}>
      Look again
    </button>
  );
  return (
    <Panel title={`Held in ${service}/${resource}`} class="flush" aside={aside}>
      {refused === null ? null : <Refusal refused={refused} what="Locks" />}
      {isLoading ? <p aria-busy="true">Asking the participant …</p> : null}
      {body === null || refused !== null ? null : (
        <>
          <Hot answer={body} />
          <Table label="Locks" heads={['table', 'key', 'row', 'held by', 'branch', 'since', 'for']}>
            {body.locks.map((lock) => (
              <tr key={JSON.stringify([lock.table, lock.key, lock.gid])} data-row>
                <td>{lock.table}</td>
                <td class="mono">{lock.key}</td>
                <td class="mono">{rowText(lock.row)}</td>
                <td>
                  <GidLink gid={lock.gid} />
                </td>
                <td class="number">{lock.branchId}</td>
                <td>
                  <Time atMs={lock.createdAtMs} />
                </td>
                <td>
                  <Age fromMs={lock.createdAtMs} toMs={null} />
                </td>
              </tr>
            ))}
          </Table>
          {body.locks.length === 0 ? <Empty>Nobody holds a row there.</Empty> : null}
          <footer class="pager">
            {next === null ? null : <a href={href(['locks'], further)}>Next page</a>}
          </footer>
        </>
      )}
    </Panel>
  );
}

/** Which transactions hold most of what is shown. */
function Hot({ answer }: { answer: LocksAnswer }) {
  const holders = [...Map.groupBy(answer.locks, ({ gid }) => gid)]
    .toSorted(([, a], [, b]) => b.length - a.length)
    .slice(0, 5);
  if (holders.length === 0) return null;
  return (
    <ul class="chips" aria-label="Who holds most">
      {holders.map(([gid, held]) => (
        <li key={gid}>
          <GidLink gid={gid} /> {counted(held.length, 'row')}
        </li>
      ))}
    </ul>
  );
}

function rowText(row: Readonly<Record<string, string | null>> | null): string {
  if (row === null) return '–';
  return Object.entries(row)
    .map(([name, value]) => `${name}=${value ?? 'NULL'}`)
    .join(', ');
}
