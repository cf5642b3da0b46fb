// What a network has learned: a plane in two colours, a curve, or digits with what they are read as.

import { GRID, REACH } from '../simulation.js';
import { channels } from './canvas.js';
import { between } from './scale.js';

/**
 * @typedef {import('./canvas.js').Canvas} Canvas
 * @typedef {import('./charts.js').Colours} Colours
 * @typedef {import('../simulation.js').Shown} Shown
 */

const FINE = 128; // pixels on a side of the plane
const TOP = 1.8; // the curve's picture goes from -TOP to TOP

/** @type {OffscreenCanvas | undefined} made when it is needed: a worker reads this file too */
let sheet;

/**
 * @param {Canvas} canvas @param {Colours} colour @param {string} name of the network's colour
 * @param {Shown} shown @param {Float32Array} field
 */
export function drawPicture(canvas, colour, name, shown, field) {
  if (shown.inputs > 2) drawDigits(canvas, colour, shown, field);
  else if (shown.regression) drawCurve(canvas, colour, name, shown, field);
  else drawPlane(canvas, colour, shown, field);
}

/** @param {Canvas} canvas @param {Colours} colour @param {Shown} shown @param {Float32Array} field */
function drawPlane(canvas, colour, { x, y }, field) {
  const pen = canvas.clear();
  const size = canvas.width;
  sheet ??= new OffscreenCanvas(FINE, FINE);
  const plane = new ImageData(FINE, FINE);
  const ground = channels(colour('ground'));
  const classes = ['first', 'second'].map((name) => channels(colour(name)));
  for (let row = 0, k = 0; row < FINE; row++) {
    for (let column = 0; column < FINE; column++) {
      const share = between(field, GRID, (column + 0.5) / FINE, 1 - (row + 0.5) / FINE);
      const sure = 0.12 + 0.5 * Math.abs(2 * share - 1);
      const tint = classes[share > 0.5 ? 1 : 0];
      for (let c = 0; c < 3; c++) plane.data[k++] = ground[c] + sure * (tint[c] - ground[c]);
      plane.data[k++] = 255;
    }
  }
  sheet.getContext('2d')?.putImageData(plane, 0, 0);
  pen.drawImage(sheet, 0, 0, size, size);
  // Circles and squares, so that the colours aren't needed.
  const radius = Math.max(2, size / 110);
  pen.lineWidth = 1;
  pen.strokeStyle = colour('ground');
  for (let i = 0; i < y.length; i++) {
    const [left, top] = [x[2 * i], -x[2 * i + 1]].map((at) => ((at / REACH + 1) / 2) * size);
    pen.beginPath();
    if (y[i]) pen.rect(left - radius, top - radius, 2 * radius, 2 * radius);
    else pen.arc(left, top, radius * 1.15, 0, 7);
    pen.fillStyle = colour(y[i] ? 'second' : 'first');
    pen.fill();
    pen.stroke();
  }
}

/**
 * @param {Canvas} canvas @param {Colours} colour @param {string} name
 * @param {Shown} shown @param {Float32Array} field
 */
function drawCurve(canvas, colour, name, { x, y }, field) {
  const pen = canvas.clear();
  const { width, height } = canvas;
  const across = (/** @type {number} */ at) => ((at / REACH + 1) / 2) * width;
  const down = (/** @type {number} */ at) => ((1 - at / TOP) / 2) * height;
  pen.strokeStyle = colour('line');
  pen.strokeRect(-1, down(0), width + 2, height);
  pen.fillStyle = colour('muted');
  for (let i = 0; i < y.length; i++) pen.fillRect(across(x[i]) - 1.5, down(y[i]) - 1.5, 3, 3);
  pen.strokeStyle = colour(name);
  pen.lineWidth = 3;
  pen.beginPath();
  field.forEach((value, i) => pen.lineTo((i / (field.length - 1)) * width, down(value)));
  pen.stroke();
}

/** @param {Canvas} canvas @param {Colours} colour @param {Shown} shown @param {Float32Array} field */
function drawDigits(canvas, colour, { x, y }, field) {
  const pen = canvas.clear();
  const columns = 4;
  const each = canvas.width / columns;
  const pixel = Math.floor((each - 18) / 8);
  const [ground, ink] = ['ground', 'ink'].map((name) => channels(colour(name)));
  pen.textAlign = 'left';
  pen.font = `600 ${Math.round(Math.max(11, each / 4.5))}px system-ui, sans-serif`;
  for (let i = 0; i < y.length; i++) {
    const [left, top] = [(i % columns) * each + 3, Math.floor(i / columns) * each + 4];
    const image = x.subarray(64 * i, 64 * i + 64);
    const [low, high] = [Math.min(...image), Math.max(...image)];
    image.forEach((level, k) => {
      const dark = (level - low) / (high - low);
      const mixed = ground.map((from, c) => Math.round(from + dark * (ink[c] - from)));
      pen.fillStyle = `rgb(${mixed})`;
      pen.fillRect(left + (k % 8) * pixel, top + Math.floor(k / 8) * pixel, pixel, pixel);
    });
    const right = field[i] === y[i];
    pen.fillStyle = colour(right ? 'ink' : 'wrong');
    const at = left + 8 * pixel + 3;
    pen.fillText(String(field[i]), at, top + 4 * pixel);
    if (!right) pen.fillRect(at, top + 6 * pixel, each / 7, 2);
  }
}
