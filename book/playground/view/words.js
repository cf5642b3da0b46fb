// What the playground says: names, numbers, and in sentences what the pictures show.

/**
 * @typedef {import('../simulation.js').Side} Side
 * @typedef {import('../simulation.js').Survey} Survey
 * @typedef {import('../simulation.js').Shown} Shown
 */

/** @type {Record<string, string>} */
const CALLED = {
  preactivation: 'pre-activation',
  rezero: 'ReZero',
  scaled: 'scaled shortcut',
  wave: '1-D regression',
  xor: 'XOR',
  relu: 'ReLU',
  he: 'He',
  xavier: 'Xavier',
};

/** What a value of a setting is called. @param {string | number} value */
export const called = (value) => CALLED[value] ?? String(value);

/** Two digits that count: 0.034, 1.2, 5e-7. @param {number} x */
export function short(x) {
  if (!Number.isFinite(x)) return 'no number';
  const size = Math.abs(x);
  if (size > 0 && (size < 0.001 || size >= 10000)) return x.toExponential(0);
  return String(Number(x.toPrecision(2)));
}

/** @param {number} share */
const percent = (share) => `${Math.round(100 * share)} %`;

/** What stands beside a network's name. @param {Side} side @param {Survey} survey */
export function numbers({ diverged }, { train, test }) {
  if (diverged) return 'diverged';
  return Number.isNaN(test.error)
    ? `test loss ${short(test.loss)}`
    : `error: train ${percent(train.error)}, test ${percent(test.error)}`;
}

/** @param {Side} side @param {Survey} survey */
function sentence({ kind, diverged }, { train, test }) {
  const name = called(kind);
  if (diverged) return `${name} has diverged: its loss is no number any more`;
  const wrong = Number.isNaN(test.error) ? '' : `, ${percent(test.error)} of the test wrong`;
  return `${name}, training loss ${short(train.loss)}, test loss ${short(test.loss)}${wrong}`;
}

/**
 * The one sentence that says where things are.
 * @param {number} steps @param {Side[]} sides @param {Survey[]} surveys
 */
export function summary(steps, sides, surveys) {
  const said = sides.map((side, index) => sentence(side, surveys[index]));
  return `Step ${steps}: ${said.join('; ')}.`;
}

/**
 * The first, last, smallest and largest of some bars.
 * @param {string} what @param {string} each what a bar stands for @param {ArrayLike<number>} values
 */
export function bars(what, each, values) {
  const n = values.length;
  if (n === 0) return `${what}: no ${each} to show.`;
  const sorted = Array.from(values).sort((a, b) => a - b);
  return (
    `${what}: ${short(values[0])} at ${each} 1, ${short(values[n - 1])} at ${each} ${n}; ` +
    `from ${short(sorted[0])} to ${short(sorted[n - 1])}.`
  );
}

/**
 * What stands in the picture of one network.
 * @param {Side} side @param {Survey} survey @param {Shown} shown
 */
export function picture({ kind }, { field, train }, { inputs, regression, y }) {
  const name = called(kind);
  if (inputs > 2) {
    const right = y.filter((digit, index) => digit === field[index]).length;
    return `${name}: ${right} of ${y.length} digits read right.`;
  }
  if (regression) {
    const [low, high] = [Math.min(...field), Math.max(...field)];
    return `${name}: the fitted curve goes from ${short(low)} to ${short(high)}.`;
  }
  const second = field.filter((share) => share > 0.5).length / field.length;
  return (
    `${name}: ${percent(second)} of the square is taken for the second class; ` +
    `${percent(train.error)} of the training points lie on the wrong side.`
  );
}
