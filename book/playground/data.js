// What there is to learn: four sets made from a seed, and real digits from a file.

import { Random } from './random.js';

/**
 * @typedef {{x: Float32Array, y: Float32Array, count: number}} Examples rows of inputs; class
 *   numbers, or the values of a regression
 * @typedef {{inputs: number, outputs: number, regression: boolean, train: Examples,
 *   test: Examples}} Data
 */

const TRAIN = 256;
const TEST = 256;

/**
 * One example of each set; `noise` is a standard deviation in units of the picture, whose sides
 * go from -1 to 1.
 * @type {Record<string, (random: Random, noise: number, index: number) => [x: number[], y: number]>}
 */
const DRAWS = {
  /** Two arms that go round one and a half times, the second one turned by half a circle. */
  spiral(random, noise, index) {
    const arm = index % 2;
    const along = Math.sqrt(random.uniform()); // as many examples everywhere along the arm
    const angle = 3 * Math.PI * along + Math.PI * arm;
    return [around(random, noise, 0.9 * along, angle), arm];
  },
  /** A disc inside a ring. */
  circles(random, noise, index) {
    const ring = index % 2;
    const radius = ring ? 0.6 + 0.3 * random.uniform() : 0.4 * Math.sqrt(random.uniform());
    return [around(random, noise, radius, 2 * Math.PI * random.uniform()), ring];
  },
  /** Four squares, of which opposite ones are alike: no line divides them. */
  xor(random, noise) {
    const [a, b] = [2 * random.uniform() - 1, 2 * random.uniform() - 1];
    return [[a + noise * random.normal(), b + noise * random.normal()], a * b > 0 ? 1 : 0];
  },
  /** A regression, y = sin(2 pi x): residual_lib.data's toy_regression. */
  wave(random, noise) {
    const x = 2 * random.uniform() - 1;
    return [[x], Math.sin(2 * Math.PI * x) + noise * random.normal()];
  },
};

/** @param {Random} random @param {number} noise @param {number} radius @param {number} angle */
function around(random, noise, radius, angle) {
  return [
    radius * Math.cos(angle) + noise * random.normal(),
    radius * Math.sin(angle) + noise * random.normal(),
  ];
}

/** Names of all sets. */
export const DATA = [...Object.keys(DRAWS), 'digits'];

/**
 * @param {string} name of a set that isn't read from a file
 * @param {number} noise @param {number} seed
 * @returns {Data}
 */
export function makeData(name, noise, seed) {
  if (!Object.hasOwn(DRAWS, name)) {
    throw new RangeError(`data must be one of ${Object.keys(DRAWS).join(', ')}, got ${name}`);
  }
  const random = new Random(seed, 1);
  const draw = (/** @type {number} */ count) => {
    const drawn = Array.from({ length: count }, (_, index) => DRAWS[name](random, noise, index));
    return {
      x: Float32Array.from(drawn.flatMap(([x]) => x)),
      y: Float32Array.from(drawn, ([, y]) => y),
      count,
    };
  };
  const regression = name === 'wave';
  return {
    inputs: regression ? 1 : 2,
    outputs: regression ? 1 : 2,
    regression,
    train: draw(TRAIN),
    test: draw(TEST),
  };
}

const PIXELS = 64;

/**
 * Read what book/builder/digits.py writes: the numbers of training and test images (uint16), the
 * mean and standard deviation of the training pixels (float32), a byte a label, a byte a pixel.
 * All little-endian.
 * @param {ArrayBuffer} file
 * @param {number} noise standard deviation of what is added to each pixel, which has 1 itself
 * @param {number} seed of the noise
 * @returns {Data}
 */
export function readDigits(file, noise, seed) {
  const head = new DataView(file);
  const sizes = [head.getUint16(0, true), head.getUint16(2, true)];
  const [mean, deviation] = [head.getFloat32(4, true), head.getFloat32(8, true)];
  const total = sizes[0] + sizes[1];
  if (file.byteLength !== 12 + total * (1 + PIXELS)) {
    throw new RangeError(`the file of digits has ${file.byteLength} bytes, not those of ${total}`);
  }
  const labels = new Uint8Array(file, 12, total);
  const pixels = new Uint8Array(file, 12 + total);
  const random = new Random(seed, 1);
  const part = (/** @type {number} */ start, /** @type {number} */ count) => ({
    x: Float32Array.from(
      pixels.subarray(start * PIXELS, (start + count) * PIXELS),
      (pixel) => (pixel - mean) / deviation + (noise && noise * random.normal()),
    ),
    y: Float32Array.from(labels.subarray(start, start + count)),
    count,
  });
  return {
    inputs: PIXELS,
    outputs: 10,
    regression: false,
    train: part(0, sizes[0]),
    test: part(sizes[0], sizes[1]),
  };
}

/**
 * Batches for ever: each example once in a round, in an order that is new each time; what is left
 * at the end of a round begins the next one. The arrays are used again.
 */
export class Batches {
  #random;
  #order;
  #at = 0;

  /** @param {Examples} examples @param {number} rows @param {Random} random */
  constructor(examples, rows, random) {
    const inputs = examples.x.length / examples.count;
    this.examples = examples;
    this.rows = rows;
    this.inputs = inputs;
    this.x = new Float32Array(rows * inputs);
    this.y = new Float32Array(rows);
    this.#random = random;
    this.#order = Uint16Array.from({ length: examples.count }, (_, index) => index);
  }

  /** Put the next batch into `x` and `y`. */
  next() {
    const { examples, inputs } = this;
    for (let row = 0; row < this.rows; row++) {
      const index = this.#draw();
      this.x.set(examples.x.subarray(index * inputs, (index + 1) * inputs), row * inputs);
      this.y[row] = examples.y[index];
    }
  }

  /** The next step of a Fisher-Yates shuffle. */
  #draw() {
    const order = this.#order;
    const other = this.#at + this.#random.below(order.length - this.#at);
    const index = order[other];
    order[other] = order[this.#at];
    order[this.#at] = index;
    this.#at = (this.#at + 1) % order.length;
    return index;
  }
}
