// The page's controls, named as the settings are: each gets its values here, and says what it is.

import { FIELDS } from '../state.js';
import { make, say } from './dom.js';
import { called } from './words.js';

/**
 * @typedef {import('../state.js').State} State
 * @typedef {Omit<HTMLInputElement & HTMLSelectElement, 'type'> & {type: string}} Control
 */

/**
 * @param {Element} root
 * @param {(name: keyof State, value: any) => void} change
 * @returns {(state: State) => void} sets every control
 */
export function bindControls(root, change) {
  /** @type {((state: State) => void)[]} */
  const shows = [];
  for (const found of root.querySelectorAll('[name]')) {
    const control = /** @type {Control} */ (found);
    const name = /** @type {keyof State} */ (control.name);
    const { values, read } = /** @type {any} */ (FIELDS[name]);
    const show = SHOW[control.type](control, values);
    /** @type {any} */
    let shown;
    control.addEventListener('input', () => {
      const value = values ? values[chosen(control)] : read(control.value);
      if (value !== undefined) change(name, value);
    });
    // A number that isn't allowed changes nothing, and is put right when the field is left.
    control.addEventListener('change', () => show(shown));
    shows.push((state) => {
      shown = state[name];
      if (values || document.activeElement !== control) show(shown);
    });
  }
  return (state) => shows.forEach((show) => show(state));
}

/** Which of the values. @param {Control} control */
const chosen = ({ type, checked, selectedIndex, value }) =>
  type === 'checkbox' ? +checked : type === 'range' ? +value : selectedIndex;

/**
 * By the type of the control: get it ready, and return what shows a value on it.
 * @type {Record<string, (control: Control, values: any[]) => (value: any) => void>}
 */
const SHOW = {
  checkbox: (control) => (value) => (control.checked = value === 1),
  number: (control) => (value) => (control.value = value),
  'select-one'(control, values) {
    control.append(...values.map((value) => make('option', called(value))));
    return (value) => (control.selectedIndex = values.indexOf(value));
  },
  range(control, values) {
    control.max = String(values.length - 1);
    const place = /** @type {Element} */ (control.parentElement).querySelector('b');
    return (value) => {
      control.value = String(values.indexOf(value));
      control.setAttribute('aria-valuetext', value);
      say(place, String(value));
    };
  },
};
