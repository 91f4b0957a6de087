/** Fields that narrow the list of transactions. Every change is a new address, so Back undoes it. */
import { useState } from 'preact/hooks';
import { go, href } from '../route.ts';
import { clock } from '../wording.ts';
import { changed, conditionsIn, type SearchField, searchFields } from './filter.ts';

type Option = readonly [value: string, name: string];

const outcomes: readonly Option[] = [
  ['', 'any state'],
  ['open', 'open'],
  ['attention', 'open: needs you'],
  ['phase:active', 'open: active'],
  ['phase:committing', 'open: committing'],
  ['phase:rollingBack', 'open: rolling back'],
  ['committed', 'committed'],
  ['rolledBack', 'rolled back'],
];
const modes: readonly Option[] = [
  ['', 'any mode'],
  ['transaction', 'transactions'],
  ['saga', 'sagas'],
];
const minute = 60_000;
const ages: readonly (readonly [name: string, spanMs: number])[] = [
  ['last 15 min', 15 * minute],
  ['last hour', 60 * minute],
  ['last day', 24 * 60 * minute],
  ['last week', 7 * 24 * 60 * minute],
];

/** The bar. */
export function FilterBar({ query }: { query: URLSearchParams }) {
  const [field, setField] = useState<SearchField>('error');
  const [text, setText] = useState('');
  const change = (changes: Readonly<Record<string, string>>) =>
    go(href(['transactions'], changed(query, changes)));
  const search = (event: Event) => {
    event.preventDefault();
    if (text.trim() === '') return;
    change({ [field]: text.trim() });
    setText('');
  };
  const chooseState = (chosen: string) => {
    const none = { phase: '', attention: '', outcome: chosen };
    const phase = /^phase:(.*)$/.exec(chosen)?.[1];
    if (phase !== undefined) change({ ...none, phase, outcome: 'open' });
    else if (chosen === 'attention') change({ ...none, attention: 'true', outcome: 'open' });
    else change(none);
  };
  return (
    <search class="filters" aria-label="Transactions">
      <form onSubmit={search}>
        <select
          aria-label="Search by"
          value={field}
          onChange={(event) => setField(event.currentTarget.value as SearchField)}
        >
          {Object.entries(searchFields).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </select>
        <input
          type="search"
          data-search
          aria-label="Search text"
          placeholder="press / and type"
          value={text}
          onInput={(event) => setText(event.currentTarget.value)}
        />
        <button type="submit">Search</button>
      </form>
      <Choice label="State" value={stateOf(query)} options={outcomes} onChoose={chooseState} />
      <Choice
        label="Mode"
        value={query.get('mode') ?? ''}
        options={modes}
        onChoose={(mode) => change({ mode })}
      />
      <Started onChange={change} />
      <Choice
        label="Sort"
        value={query.get('sort') ?? ''}
        options={[
          ['', 'newest first'],
          ['oldest', 'oldest first'],
        ]}
        onChoose={(sort) => change({ sort })}
      />
      <Chips query={query} onChange={change} />
    </search>
  );
}

/** What the field shows of an address; several conditions at once stand in the chips below it. */
function stateOf(query: URLSearchParams): string {
  if (query.has('phase')) return `phase:${query.get('phase')}`;
  return query.get('attention') === 'true' ? 'attention' : (query.get('outcome') ?? '');
}

function Choice(props: {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly onChoose: (value: string) => void;
}) {
  return (
    <select
      aria-label={props.label}
      value={props.value}
      onChange={(event) => props.onChoose(event.currentTarget.value)}
    >
      {props.options.map(([value, name]) => (
        <option key={value} value={value}>
          {name}
        </option>
      ))}
    </select>
  );
}

/** Spans become times of the clock, so that the address means the same tomorrow. */
function Started(props: {
  readonly onChange: (changes: Readonly<Record<string, string>>) => void;
}) {
  const choose = (chosen: string) => {
    const [bound, ms] = chosen.split(':');
    const at = String(Date.now() - Number(ms));
    const isAfter = bound === 'after';
    props.onChange({
      startedAfterMs: isAfter ? at : '',
      startedBeforeMs: bound === 'before' ? at : '',
    });
  };
  return (
    <select aria-label="Started" value="" onChange={(event) => choose(event.currentTarget.value)}>
      <option value="">any time</option>
      {ages.map(([name, ms]) => (
        <option key={name} value={`after:${ms}`}>
          started in the {name}
        </option>
      ))}
      {[5 * minute, 60 * minute].map((ms) => (
        <option key={ms} value={`before:${ms}`}>
          older than {ms / minute} min
        </option>
      ))}
    </select>
  );
}

function Chips(props: {
  readonly query: URLSearchParams;
  readonly onChange: (changes: Readonly<Record<string, string>>) => void;
}) {
  const conditions = Object.entries(conditionsIn(props.query));
  if (conditions.length === 0) return null;
  const none = Object.fromEntries(conditions.map(([name]) => [name, '']));
  return (
    <ul class="chips" aria-label="Conditions">
      {conditions.map(([name, value]) => (
        <li key={name}>
          {shownCondition(name, value)}
          <button
            type="button"
            class="quiet"
            aria-label={`Without ${name}`}
            onClick={() => props.onChange({ [name]: '' })}
          >
            ✕
          </button>
        </li>
      ))}
      <li>
        <button type="button" class="quiet" onClick={() => props.onChange(none)}>
          Clear all
        </button>
      </li>
    </ul>
  );
}

function shownCondition(name: string, value: string): string {
  if (name === 'startedAfterMs') return `started after ${clock(Number(value))}`;
  if (name === 'startedBeforeMs') return `started before ${clock(Number(value))}`;
  if (name === 'attention') return 'needs you';
  return `${name}: ${value}`;
}
