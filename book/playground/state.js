// What a visitor has chosen, as the query of the address: a link is a whole experiment.
//
// Nothing in a query is trusted. Each field has a list of values, or a range of whole numbers; what
// isn't in it gives the default and a message, in which the page must show `given` as text.

import { ACTIVATIONS, KINDS, SCHEMES } from './engine.js';
import { DATA } from './data.js';

/**
 * @typedef {{initial: any, allowed: string, read: (text: string) => any}} Field `read` gives
 *   undefined for what isn't allowed
 * @typedef {{field: string, given: string, message: string}} Replaced
 */

/** @param {any} initial @param {any[]} values @returns {Field & {values: any[]}} */
const oneOf = (initial, values) => ({
  initial,
  values,
  allowed:
    values.length > 12 ? `${values[0]}, ${values[1]}, ... ${values.at(-1)}` : values.join(', '),
  read: (text) => values.find((value) => String(value) === text),
});

/** @param {number} initial @param {number} most @returns {Field & {most: number}} */
const whole = (initial, most) => ({
  initial,
  most,
  allowed: `whole numbers from 0 to ${most}`,
  read: (text) => (/^\d{1,9}$/.test(text) && +text <= most ? +text : undefined),
});

/** @param {number} first @param {number} last @param {number} step */
const range = (first, last, step) =>
  Array.from({ length: Math.round((last - first) / step) + 1 }, (_, index) =>
    Number((first + index * step).toFixed(4)),
  );

const MOST_BLOCKS = 31;

/** Every field, in the order of the address. `values` are what a control offers. */
export const FIELDS = {
  data: oneOf('spiral', DATA),
  noise: oneOf(0.05, range(0, 0.5, 0.05)),
  seed: whole(1, 9999),
  /** the network on the left, and the one beside it */
  kind: oneOf('plain', Object.keys(KINDS)),
  beside: oneOf('residual', [...Object.keys(KINDS), 'none']),
  depth: oneOf(20, range(2, 64, 2)),
  width: oneOf(16, [2, 4, 8, 16, 32]),
  activation: oneOf('relu', Object.keys(ACTIVATIONS)),
  norm: oneOf('batch', ['none', 'batch']),
  init: oneOf('he', Object.keys(SCHEMES)),
  /** whether branches start at 0 */
  zero: oneOf(0, [0, 1]),
  /** what the kind 'scaled' multiplies its shortcut by */
  factor: oneOf(0.5, range(0.1, 1, 0.1)),
  rate: oneOf(0.03, [0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1]),
  momentum: oneOf(0.9, [0, 0.5, 0.9, 0.99]),
  batch: oneOf(32, [8, 16, 32, 64, 128]),
  /** steps a frame */
  speed: oneOf(1, [1, 2, 5, 10, 20]),
  /** blocks without their branch, in both networks; the first is 1 */
  cut: /** @type {Field} */ ({
    initial: [],
    allowed: `different numbers of blocks that are there, such as 3 or 3,5`,
    read: (text) => {
      const blocks = /^\d{1,2}(,\d{1,2})*$/.test(text) ? text.split(',').map(Number) : [0];
      const fine = blocks.every((block) => block >= 1 && block <= MOST_BLOCKS);
      return fine && new Set(blocks).size === blocks.length
        ? blocks.sort((a, b) => a - b)
        : undefined;
    },
  }),
};

/** @typedef {Record<keyof typeof FIELDS, any>} State */

const NAMES = /** @type {(keyof typeof FIELDS)[]} */ (Object.keys(FIELDS));
const LONGEST = 1000; // characters; the longest query that `write` can make has about 300

/** @returns {State} */
export const defaults = () =>
  /** @type {State} */ (
    Object.fromEntries(NAMES.map((name) => [name, structuredClone(FIELDS[name].initial)]))
  );

/** How many blocks a network of so many layers has. @param {number} depth */
export const blocksOf = (depth) => depth / 2 - 1;

/**
 * @param {string} query with or without its question mark
 * @returns {{state: State, replaced: Replaced[]}} never throws
 */
export function read(query) {
  const state = defaults();
  /** @type {Replaced[]} */
  const replaced = [];
  const complain = (/** @type {string} */ field, /** @type {string} */ given, why = '') => {
    const short = (/** @type {string} */ text) =>
      text.length > 40 ? `${text.slice(0, 40)}...` : text;
    replaced.push({ field: short(field), given: short(given), message: why });
  };
  if (query.length > LONGEST) {
    complain('', query, `The address is longer than ${LONGEST} characters: all defaults.`);
    return { state, replaced };
  }
  const seen = new Set();
  for (const [key, text] of new URLSearchParams(query)) {
    const name = NAMES.find((name) => name === key);
    if (!name) complain(key, text, 'There is no such setting; it is left out.');
    else if (seen.has(name)) complain(key, text, 'Given twice: the first one counts.');
    else {
      seen.add(name);
      const { allowed, initial, read } = FIELDS[name];
      const value = read(text);
      if (value !== undefined) state[name] = value;
      else complain(key, text, `Replaced by ${said(initial)}. Allowed: ${allowed}.`);
    }
  }
  const missing = state.cut.filter((/** @type {number} */ b) => b > blocksOf(state.depth));
  if (missing.length) {
    state.cut = [];
    const message = `${state.depth} layers have ${blocksOf(state.depth)} blocks: none is cut.`;
    complain('cut', missing.join(','), message);
  }
  return { state, replaced };
}

/** @param {any} value */
const said = (value) => (Array.isArray(value) ? value.join(',') || 'none' : String(value));

/** The shortest query that `read` turns into this state. @param {State} state */
export function write(state) {
  const differs = NAMES.filter((name) => String(state[name]) !== String(FIELDS[name].initial));
  return differs.map((name) => `${name}=${state[name]}`).join('&');
}
