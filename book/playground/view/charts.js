// Lines and bars on a logarithmic axis.

import { along, decades, ticks } from './scale.js';

/**
 * @typedef {import('./canvas.js').Canvas} Canvas
 * @typedef {(name: string) => string} Colours
 * @typedef {import('./scale.js').Range} Range
 */

const LEFT = 38; // room for the numbers at the axis

/** @param {number} exponent */
const written = (exponent) =>
  exponent >= -2 && exponent <= 2 ? String(10 ** exponent) : `1e${exponent}`;

/**
 * Clear a chart, and draw its axis.
 * @param {Canvas} canvas @param {Colours} colour @param {Range} range @param {number} bottom
 * @returns {(x: number) => number} the height on the canvas where a number stands
 */
function axis(canvas, colour, range, bottom) {
  const pen = canvas.clear();
  const high = canvas.height - bottom - 8;
  const place = (/** @type {number} */ x) => 8 + high * (1 - along(x, range));
  pen.textAlign = 'right';
  pen.lineWidth = 1;
  pen.strokeStyle = colour('line');
  pen.fillStyle = colour('muted');
  pen.beginPath();
  for (const exponent of ticks(range)) {
    const y = Math.round(place(10 ** exponent)) + 0.5;
    pen.moveTo(LEFT, y);
    pen.lineTo(canvas.width, y);
    pen.fillText(written(exponent), LEFT - 6, y);
  }
  pen.stroke();
  return place;
}

/**
 * @param {Canvas} canvas @param {Colours} colour
 * @param {ArrayLike<number>} values a bar each; 0 has none
 * @param {string} name of the bars' colour
 * @param {Range} range
 */
export function drawBars(canvas, colour, values, name, range) {
  const place = axis(canvas, colour, range, 8);
  const { pen, width } = canvas;
  const floor = place(0);
  const each = (width - LEFT) / values.length;
  const thick = Math.max(1, Math.min(18, each * 0.75));
  pen.fillStyle = colour(name);
  for (let i = 0; i < values.length; i++) {
    if (!(values[i] > 0)) continue;
    const top = place(values[i]);
    pen.fillRect(LEFT + (i + 0.5) * each - thick / 2, top, thick, Math.max(1, floor - top));
  }
}

/**
 * Train (whole) and test (dashed) loss of each network.
 * @param {Canvas} canvas @param {Colours} colour
 * @param {{steps: number, values: number[]}[]} points values: train and test of each network
 * @param {string[]} names of the networks' colours
 */
export function drawLosses(canvas, colour, points, names) {
  // The first losses may be so large that nothing else could be seen.
  const range = decades(points.slice(points.length >> 3).flatMap(({ values }) => values));
  const place = axis(canvas, colour, range, 20);
  const { pen, width, height } = canvas;
  const last = Math.max(100, points.at(-1)?.steps ?? 0);
  const right = width - 6;
  const x = (/** @type {number} */ steps) => LEFT + (steps / last) * (right - LEFT);
  const foot = height - 7;
  pen.fillText(`step ${last}`, right, foot);
  pen.textAlign = 'left';
  pen.fillText('0', LEFT, foot);
  pen.lineWidth = 2;
  pen.lineJoin = 'round';
  names.forEach((name, side) => {
    pen.strokeStyle = colour(name);
    for (const part of [1, 0]) {
      pen.setLineDash(part ? [2, 3] : []);
      pen.beginPath();
      for (const { steps, values } of points) {
        const loss = values[2 * side + part];
        if (Number.isFinite(loss)) pen.lineTo(x(steps), place(loss));
      }
      pen.stroke();
    }
  });
  pen.setLineDash([]);
}
