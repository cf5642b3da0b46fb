// A playground on a page: settings, address and thread put together.

import { PRESETS } from '../presets.js';
import { blocksOf, read, write } from '../state.js';
import { bindBlocks } from './blocks.js';
import { bindControls } from './controls.js';
import { make, onClick, say } from './dom.js';
import { connect } from './thread.js';
import { bindViews } from './views.js';

/** @typedef {import('../state.js').State} State */

/**
 * @param {HTMLElement} root with the elements of whole.html, or fewer; a small one has its
 *   settings in `data-query` and leaves the address alone
 * @param {string} script its own address
 */
export function openPlayground(root, script) {
  const find = (/** @type {string} */ name) => root.querySelector(`.pg-${name}`);
  const small = root.dataset.query;
  /** @type {State} */
  let state;
  let playing = false;
  let writing = 0;

  // ---------------------------------------------------------------------------- what is said
  const tell = (/** @type {string} */ text) => find('message')?.append(make('p', text));
  const silence = () => find('message')?.replaceChildren();

  const view = bindViews(root);
  const send = connect(script, (message) => {
    if (message.error) tell(`It has stopped. ${message.error}`);
    else {
      playing = message.playing;
      view(message);
    }
  });
  const play = (/** @type {boolean} */ on) => send({ play: on });

  // ---------------------------------------------------------------------------- settings
  const showControls = bindControls(root, (name, value) => choose({ ...state, [name]: value }));
  const places = find('blocks');
  const showBlocks =
    places &&
    bindBlocks(places, (block) => {
      const cut = new Set(state.cut);
      if (!cut.delete(block)) cut.add(block);
      choose({ ...state, cut: [...cut].sort((a, b) => a - b) });
    });
  const stories = PRESETS.map(({ title, query }) => {
    const link = make('a', title, { class: 'pg-story', href: `?${query}` });
    link.addEventListener('click', (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return; // another tab or window
      event.preventDefault();
      history.pushState(null, '', link.href);
      adopt(query);
    });
    return link;
  });
  find('stories')?.append(...stories);

  /** @param {State} chosen */
  function show(chosen) {
    const blocks = blocksOf(chosen.depth);
    state = { ...chosen, cut: chosen.cut.filter((/** @type {number} */ b) => b <= blocks) };
    send({ state });
    showControls(state);
    showBlocks?.(blocks, state.cut);
    const query = write(state);
    const more = /** @type {HTMLAnchorElement | null} */ (find('more'));
    if (more) more.search = query;
    const told = PRESETS.findIndex((preset) => write(read(preset.query).state) === query);
    stories.forEach((link, index) => link.setAttribute('aria-current', String(index === told)));
    say(find('told'), PRESETS[told]?.story ?? '');
  }

  /** What a control has chosen. @param {State} chosen */
  function choose(chosen) {
    silence();
    show(chosen);
    if (small) return;
    clearTimeout(writing); // browsers allow so many changes of an address in a while
    writing = setTimeout(() => history.replaceState(null, '', link()), 200);
  }

  // ---------------------------------------------------------------------------- the address
  const link = () => `${location.href.split(/[?#]/)[0]}?${write(state)}`;

  /** @param {string} query */
  function adopt(query) {
    const { state: asked, replaced } = read(query);
    silence();
    for (const { field, given, message } of replaced) tell(`${field}=${given} ${message}`);
    play(false);
    show(asked);
  }

  /** Follow the address: its query, or the name of a story behind the #. */
  function follow() {
    const name = location.hash.slice(1);
    const story = PRESETS.find(({ id }) => id === name);
    const query = location.search || story?.query || '';
    adopt(query);
    if (story) {
      root.scrollIntoView();
      // While a page loads, the browser goes on scrolling to the section that the address names.
      if (document.readyState !== 'complete') {
        addEventListener('load', () => setTimeout(() => root.scrollIntoView()), { once: true });
      }
    } else if (name && !document.getElementById(name)) tell('There is no story of that name.');
  }

  async function copy() {
    silence();
    try {
      await navigator.clipboard.writeText(link());
      tell('The link is copied. It opens these settings.');
    } catch {
      tell(link());
    }
  }

  // ---------------------------------------------------------------------------- buttons
  onClick(find('play'), () => play(!playing));
  onClick(find('reset'), () => send({ reset: true }));
  onClick(find('copy'), copy);
  onClick(find('step'), () => {
    play(false);
    send({ step: 1 });
  });
  // Nothing is computed that nobody sees.
  document.addEventListener('visibilitychange', () => document.hidden && play(false));

  root.classList.add('pg-on');
  if (root.clientWidth < 832) find('rail')?.removeAttribute('open'); // there it would fill the screen
  if (small) {
    adopt(small);
    new IntersectionObserver(([{ isIntersecting }]) => isIntersecting || play(false)).observe(root);
  } else {
    follow();
    addEventListener('popstate', follow);
  }
}
