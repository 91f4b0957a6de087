/** Where the console begins: theme, the page's one stream, and the shell. */
import { render } from 'preact';
import { openLive } from './live.ts';
import { showTheme } from './preferences.ts';
import { Shell } from './shell.tsx';

showTheme();
const root = document.getElementById('console');
if (root !== null) render(<Shell openLive={openLive} />, root);
