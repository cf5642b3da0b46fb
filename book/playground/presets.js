// Links that tell a story each; tests/playground/presets.test.js holds them to it.

/**
 * @typedef {object} Preset
 * @property {string} id of its section on the page, for links from the chapters
 * @property {string} title
 * @property {string} query for `read` of state.js
 * @property {string} story what to do and what will be seen
 */

/** @type {Preset[]} */
export const PRESETS = [
  {
    id: 'vanishing',
    title: 'A gradient that fades',
    query: 'beside=preactivation&activation=sigmoid&norm=none&init=xavier',
    story:
      "Look at the gradient's bars before the first step: on the left they fade towards the first layer.",
  },
  {
    id: 'deep-plain',
    title: "56 layers that can't learn",
    query: 'beside=none&depth=56',
    story: 'Play: the plain network of 56 layers guesses, on what it is trained on too.',
  },
  {
    id: 'add-the-skip',
    title: 'Add the skip',
    query: 'depth=56',
    story: 'Play: the same 56 layers, weights and batches; the one on the right has the skip.',
  },
  {
    id: 'half-a-shortcut',
    title: 'Half a shortcut',
    query: 'kind=scaled&depth=56',
    story: 'Play: on the left each shortcut is halved, and after 27 blocks hardly anything of x is left.',
  },
  {
    id: 'cut-a-block',
    title: 'Cut block 3',
    query: 'data=circles&depth=14',
    story:
      'Train for 400 steps, pause, and cut block 3: the plain network breaks, the other bends.',
  },
  {
    id: 'zero-init',
    title: 'Branches that start at 0',
    query: 'kind=residual&beside=preactivation&depth=32&norm=none&zero=1&rate=0.01',
    story: 'Without a norm 32 layers learn if each branch starts at 0; switch that off and reset.',
  },
];
