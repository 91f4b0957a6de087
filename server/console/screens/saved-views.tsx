/** Searches with a name: some that everybody needs, and those that this browser has saved. */
import { useState } from 'preact/hooks';
import { forgetView, type SavedView, savedViews, saveView } from '../preferences.ts';
import { href } from '../route.ts';

const given: readonly SavedView[] = [
  { name: 'All', query: '' },
  { name: 'Needs you', query: 'attention=true&outcome=open' },
  { name: 'Open', query: 'outcome=open' },
  { name: 'Rolling back', query: 'phase=rollingBack&outcome=open' },
  { name: 'Rolled back', query: 'outcome=rolledBack' },
];

/** Tabs above the list. */
export function SavedViews({ query }: { query: URLSearchParams }) {
  const [own, setOwn] = useState(savedViews);
  const [isNaming, setIsNaming] = useState(false);
  const now = canonical(query);
  const isNew = ![...given, ...own].some((view) => canonical(view.query) === now);
  const save = (event: Event & { readonly currentTarget: HTMLFormElement }) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get('view')).trim();
    if (name !== '') setOwn(saveView({ name, query: now }));
    setIsNaming(false);
  };
  return (
    <nav class="views" aria-label="Views">
      {given.map((view) => (
        <View key={view.name} view={view} isHere={canonical(view.query) === now} />
      ))}
      {own.map((view) => (
        <span key={view.name} class="own">
          <View view={view} isHere={canonical(view.query) === now} />
          <button
            type="button"
            class="quiet"
            aria-label={`Forget the view ${view.name}`}
            onClick={() => setOwn(forgetView(view.name))}
          >
            ✕
          </button>
        </span>
      ))}
      {isNew && !isNaming ? (
        <button type="button" class="quiet" onClick={() => setIsNaming(true)}>
          Save this view
        </button>
      ) : null}
      {isNaming ? (
        <form onSubmit={save}>
          <input name="view" aria-label="Name of the view" maxLength={40} autofocus required />
          <button type="submit">Save</button>
        </form>
      ) : null}
    </nav>
  );
}

function View({ view, isHere }: { view: SavedView; isHere: boolean }) {
  const to = href(['transactions'], new URLSearchParams(view.query));
  return (
    <a href={to} aria-current={isHere ? 'page' : undefined}>
      {view.name}
    </a>
  );
}

/** The same conditions are the same view, in whatever order; the page that is shown is no part of it. */
function canonical(query: string | URLSearchParams): string {
  const sorted = new URLSearchParams(query);
  sorted.delete('cursor');
  sorted.sort();
  return String(sorted);
}
