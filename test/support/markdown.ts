/** What tests read of Markdown pages: code blocks with their info strings, links, headings. */

export interface CodeBlock {
  /** The words after the fence: `['ts', 'examples/x.ts']`, `['sh', 'by-hand']`. */
  readonly info: readonly string[];
  readonly text: string;
}

export interface Link {
  readonly text: string;
  /** As written; titles in quotes are not used here. */
  readonly target: string;
}

const fence = /^```(.*)\n([\s\S]*?)^```$/gm;

export function codeBlocks(page: string): readonly CodeBlock[] {
  return [...page.matchAll(fence)].map(([, info = '', text = '']) => ({
    info: info.split(/\s+/).filter((word) => word !== ''),
    text,
  }));
}

/** Inline links; nothing inside of code. */
export function links(page: string): readonly Link[] {
  const prose = page.replaceAll(fence, '').replaceAll(/`[^`\n]*`/g, (code) => `\`${code.length}\``);
  return [...prose.matchAll(/\[([^\]]*)\]\(([^)\s]+)\)/g)].map(([, text = '', target = '']) => ({
    text,
    target,
  }));
}

/** Fragments that a link may name: headings as code hosts spell them, and explicit anchors. */
export function anchors(page: string): ReadonlySet<string> {
  const headings = [...page.replaceAll(fence, '').matchAll(/^#+ (.*)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
  const explicit = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id = '']) => id);
  return new Set([...headings, ...explicit]);
}
