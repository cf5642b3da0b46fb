// One or two networks that learn the same batches from the same weights, and what there is to see.

import { Batches } from './data.js';
import { Network, largest } from './engine.js';
import { Random } from './random.js';

/**
 * @typedef {import('./data.js').Data} Data
 * @typedef {import('./state.js').State} State
 *
 * @typedef {object} Side what a frame shows of one network
 * @property {string} kind
 * @property {number} loss of the last batch; NaN before the first step
 * @property {boolean} diverged its loss is no number any more, and it has stopped
 * @property {Float32Array} gradient norm of the gradient by each layer's weights, stem to head
 * @property {Float32Array} ratio branch over shortcut of each block
 *
 * @typedef {object} Survey what takes longer than a step, and is measured less often
 * @property {{loss: number, error: number}} train
 * @property {{loss: number, error: number}} test
 * @property {Float32Array} field outputs on `points`; of digits, what they are taken for
 *
 * @typedef {object} Shown examples for the picture: those of training, or of digits the first ones
 *   of the test
 * @property {number} inputs
 * @property {boolean} regression
 * @property {Float32Array} x
 * @property {Float32Array} y
 */

/** What may change while a network learns; with anything else it begins anew. */
const LIVE = ['rate', 'momentum', 'speed', 'cut'];

/** The picture's sides go from -REACH to REACH. */
export const REACH = 1.2;
/** Points on a side of the decision boundary's picture; of a curve, three times as many. */
export const GRID = 32;
/** Digits that the page shows. */
export const SHOWN = 16;

/**
 * Where the field is measured: on a line, or on a square row by row from its lower left corner.
 * @param {number} inputs
 */
export function points(inputs) {
  const at = (/** @type {number} */ index, /** @type {number} */ count) =>
    REACH * ((2 * index) / (count - 1) - 1);
  if (inputs === 1) return Float32Array.from({ length: 3 * GRID }, (_, i) => at(i, 3 * GRID));
  if (inputs !== 2) return new Float32Array(0);
  return Float32Array.from({ length: 2 * GRID * GRID }, (_, i) =>
    at(i % 2 ? Math.floor(i / 2 / GRID) : (i >> 1) % GRID, GRID),
  );
}

export class Simulation {
  steps = 0;
  /** Whether the networks' last pass was that of a step, as they are now. */
  #fresh = false;

  /** @param {State} state @param {Data} data */
  constructor(state, data) {
    const { inputs, outputs, regression } = data;
    const { depth, width, activation, norm, factor, batch, seed } = state;
    this.state = state;
    this.data = data;
    this.points = inputs > 2 ? data.test.x.subarray(0, SHOWN * inputs) : points(inputs);
    this.batches = new Batches(data.train, batch, new Random(seed, 2));
    this.batches.next();
    this.networks = [state.kind, state.beside]
      .filter((kind) => kind !== 'none')
      .map((kind) => {
        const capacity = Math.max(batch, 128);
        const shape = { kind, inputs, outputs, regression, depth, width };
        const network = new Network({ ...shape, activation, norm, factor, capacity });
        // The same draws for each: what differs is the kind of block and nothing else.
        network.initialise(state.init, new Random(seed), state.zero === 1);
        return network;
      });
    this.losses = this.networks.map(() => NaN);
    this.tune(state);
  }

  /**
   * Follow what has been chosen anew, if that is possible without beginning anew.
   * @param {State} state
   * @returns {boolean} whether it was
   */
  tune(state) {
    const names = /** @type {(keyof State)[]} */ (Object.keys(state));
    const changed = names.filter((name) => String(state[name]) !== String(this.state[name]));
    if (!changed.every((name) => LIVE.includes(name))) return false;
    this.state = state;
    for (const network of this.networks) {
      network.blocks.forEach((block, index) => (block.cut = state.cut.includes(index + 1)));
    }
    if (changed.includes('cut')) this.#fresh = false;
    return true;
  }

  /** @param {number} side */
  diverged(side) {
    return this.steps > 0 && !Number.isFinite(this.losses[side]);
  }

  step() {
    const { rate, momentum, batch } = this.state;
    if (this.steps > 0) this.batches.next(); // the first one is there to be looked at
    this.networks.forEach((network, side) => {
      if (this.diverged(side)) return;
      this.losses[side] = network.step(this.batches.x, this.batches.y, batch, rate, momentum);
    });
    this.steps++;
    this.#fresh = true;
  }

  /**
   * What the last step saw. After a survey or a lesion, or before the first step, its batch is
   * run again for this, with the weights as they are now.
   * @returns {Side[]}
   */
  look() {
    const { x, y, rows } = this.batches;
    if (!this.#fresh) for (const network of this.networks) network.rehearse(x, y, rows);
    return this.networks.map((network, side) => ({
      kind: network.spec.kind,
      loss: this.losses[side],
      diverged: this.diverged(side),
      gradient: network.gradientNorms(),
      ratio: network.ratios(),
    }));
  }

  /** @returns {Shown} */
  get examples() {
    const { inputs, regression, train, test } = this.data;
    const [{ x, y }, count] = inputs > 2 ? [test, SHOWN] : [train, train.count];
    return { inputs, regression, x: x.slice(0, count * inputs), y: y.slice(0, count) };
  }

  /** @returns {Survey[]} */
  survey() {
    this.#fresh = false;
    const { train, test, inputs, outputs, regression } = this.data;
    return this.networks.map((network) => {
      const count = this.points.length / inputs;
      const field = new Float32Array(count);
      network.sweep(this.points, count, (z, start, rows) => {
        for (let r = 0; r < rows; r++) {
          const k = r * outputs;
          if (regression) field[start + r] = z[k];
          else if (outputs > 2) field[start + r] = largest(z, k, outputs);
          // For two classes, the share that softmax gives to the second one.
          else field[start + r] = 1 / (1 + Math.exp(z[k] - z[k + 1]));
        }
      });
      return { train: network.evaluate(train), test: network.evaluate(test), field };
    });
  }
}
