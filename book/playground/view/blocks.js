// The blocks of both networks, as buttons that cut a branch and put it back.

import { make, onClick } from './dom.js';

/**
 * @param {Element} place
 * @param {(block: number) => void} toggle
 * @returns {(count: number, cut: number[]) => void} shows so many blocks
 */
export function bindBlocks(place, toggle) {
  return (count, cut) => {
    if (count !== place.children.length) {
      const buttons = Array.from({ length: count }, (_, index) => {
        const label = `Cut the branch of block ${index + 1}`;
        const attributes = { type: 'button', class: 'pg-block', 'aria-label': label, title: label };
        const button = make('button', '', { ...attributes, 'data-block': String(index + 1) });
        onClick(button, () => toggle(index + 1));
        return button;
      });
      place.replaceChildren(...buttons);
    }
    [...place.children].forEach((button, index) =>
      button.setAttribute('aria-pressed', String(cut.includes(index + 1))),
    );
  };
}
