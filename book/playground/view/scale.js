// From numbers to places on a chart.

/** @typedef {[low: number, high: number]} Range exponents of ten */

/**
 * Whole powers of ten around the numbers above 0, from -15 to 4.
 * @param {Iterable<number>} numbers
 * @param {Range} [before] is followed no faster than the numbers ask: axes shouldn't tremble
 * @returns {Range} at least one decade
 */
export function decades(numbers, before) {
  let [low, high] = [Infinity, -Infinity];
  for (const x of numbers) {
    if (!(x > 0 && x < Infinity)) continue;
    low = Math.min(low, Math.log10(x));
    high = Math.max(high, Math.log10(x));
  }
  if (low > high) return before ?? [-1, 0];
  low = Math.min(Math.max(Math.floor(low), -15), 3);
  high = Math.max(Math.min(Math.ceil(high), 4), low + 1);
  if (!before) return [low, high];
  return [Math.min(low, Math.max(before[0], low - 1)), Math.max(high, Math.min(before[1], high + 1))];
}

/**
 * Where a number lies on a logarithmic axis, from 0 to 1; what is outside stands at the end.
 * @param {number} x @param {Range} range
 */
export function along(x, [low, high]) {
  if (!(x > 0)) return 0;
  return Math.min(1, Math.max(0, (Math.log10(x) - low) / (high - low)));
}

/** Exponents to write at an axis, three at most. @param {Range} range */
export function ticks([low, high]) {
  const step = Math.ceil((high - low) / 2);
  return Array.from({ length: Math.floor((high - low) / step) + 1 }, (_, i) => low + i * step);
}

/**
 * A value of a square grid between its points.
 * @param {Float32Array} field rows of `side` values @param {number} side
 * @param {number} u from 0 at the left to 1 @param {number} v from 0 at the first row to 1
 */
export function between(field, side, u, v) {
  const x = u * (side - 1);
  const y = v * (side - 1);
  const i = Math.min(side - 2, Math.floor(x));
  const j = Math.min(side - 2, Math.floor(y));
  const k = j * side + i;
  const first = field[k] + (x - i) * (field[k + 1] - field[k]);
  const second = field[k + side] + (x - i) * (field[k + side + 1] - field[k + side]);
  return first + (y - j) * (second - first);
}
