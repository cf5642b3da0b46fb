// A network that learns, without a library: what the course's PyTorch models compute, by hand.
//
// Every block is the course's one equation, y = after(merge(shortcut(x), scale(branch(x)))), with
// a sum as merge and a constant as shortcut: 0 takes the skip away, 1 is the identity.
//
// A part has forward(x, rows, training), which gives its output, and backward(dy, rows), which
// adds the loss's derivatives by its parameters to their place and gives those by its input; it
// remembers its last forward pass. Matrices are rows of examples in a Float32Array, buffers are
// made once, and sums are done in double precision.

/**
 * @typedef {import('./random.js').Random} Random
 * @typedef {'relu' | 'tanh' | 'sigmoid'} ActivationName
 *
 * @typedef {object} Spec
 * @property {string} kind one of KINDS
 * @property {number} inputs numbers in an example
 * @property {number} outputs classes, or 1 for a regression
 * @property {boolean} regression mean squared error instead of cross-entropy
 * @property {number} depth layers with weights: stem, two a block, head; even, from 2
 * @property {number} width units of each hidden layer
 * @property {ActivationName} activation
 * @property {'none' | 'batch'} norm
 * @property {number} [factor] what the shortcut of the kind 'scaled' multiplies by
 * @property {number} [capacity] the most examples that are computed at once
 */

/**
 * What tells the kinds of block apart: slots of the equation.
 * @type {Record<string, {shortcut: (factor: number) => number, after: boolean,
 *   preactivation?: boolean, learned?: boolean}>}
 */
export const KINDS = {
  plain: { shortcut: () => 0, after: true },
  // He et al. 2015, equation 1
  residual: { shortcut: () => 1, after: true },
  // He et al. 2016, section 4: norm and activation stand before each layer, nothing after the sum
  preactivation: { shortcut: () => 1, after: false, preactivation: true },
  // Bachlechner et al. 2020: x + alpha F(x), alpha learned from 0, nothing after the sum
  rezero: { shortcut: () => 1, after: false, learned: true },
  // He et al. 2016, section 3: the identity times a constant
  scaled: { shortcut: (factor) => factor, after: true },
};

/**
 * Each function, and its slope as a function of its *output*: no need to keep the input.
 * @type {Record<ActivationName, [f: (x: number) => number, slope: (y: number) => number]>}
 */
export const ACTIVATIONS = {
  relu: [(x) => (x < 0 ? 0 : x), (y) => (y > 0 ? 1 : 0)], // this way round lets NaN through
  tanh: [Math.tanh, (y) => 1 - y * y],
  sigmoid: [(x) => 1 / (1 + Math.exp(-x)), (y) => y * (1 - y)],
};

/**
 * Standard deviation of a weight by its unit's number of inputs n and outputs m, as in
 * residual_lib.nn.initialise_; of 'orthogonal' it is the gain.
 * @type {Record<string, (n: number, m: number, activation: string) => number>}
 */
export const SCHEMES = {
  naive: () => 1,
  xavier: (n, m) => Math.sqrt(2 / (n + m)),
  he: (n) => Math.sqrt(2 / n),
  orthogonal: (n, m, activation) => (activation === 'relu' ? Math.SQRT2 : 1),
};

/** @type {Float32Array} */
const NOTHING = new Float32Array(0);

/**
 * What the parts share; by itself the identity. `y` is the output of the last forward pass, `dx`
 * of the last backward pass.
 */
class Part {
  /** number of parameters */
  size = 0;
  /** number of running statistics */
  kept = 0;

  /** @param {number} outputs @param {number} inputs @param {number} capacity */
  constructor(outputs, inputs, capacity) {
    this.y = new Float32Array(capacity * outputs);
    this.dx = new Float32Array(capacity * inputs);
  }

  /**
   * Take the places of the parameters, their gradients and the statistics.
   * @param {Float32Array} _parameters @param {Float32Array} _gradients @param {Float32Array} _kept
   */
  adopt(_parameters, _gradients, _kept) {}

  /**
   * @param {Float32Array} x @param {number} _rows @param {boolean} _training
   * @returns {Float32Array}
   */
  forward(x, _rows, _training) {
    return x;
  }

  /** @param {Float32Array} dy @param {number} _rows @returns {Float32Array} */
  backward(dy, _rows) {
    return dy;
  }
}

/** y = x W' + b, with W of outputs x inputs as in PyTorch. */
class Linear extends Part {
  w = NOTHING;
  b = NOTHING;
  dw = NOTHING;
  db = NOTHING;
  x = NOTHING;

  /**
   * @param {number} inputs @param {number} outputs
   * @param {boolean} biased @param {number} capacity
   */
  constructor(inputs, outputs, biased, capacity) {
    super(outputs, inputs, capacity);
    this.inputs = inputs;
    this.outputs = outputs;
    this.biased = biased;
    // Derivatives cancel, and a ReLU turns a sum's rounding into another sign: in single precision
    // deep networks left PyTorch's path by 1 % within a hundred steps.
    this.line = new Float64Array(inputs);
    this.size = inputs * outputs + (biased ? outputs : 0);
  }

  /** @override @param {Float32Array} parameters @param {Float32Array} gradients */
  adopt(parameters, gradients) {
    const weights = this.inputs * this.outputs;
    [this.w, this.b] = [parameters.subarray(0, weights), parameters.subarray(weights)];
    [this.dw, this.db] = [gradients.subarray(0, weights), gradients.subarray(weights)];
  }

  /** @override @param {Float32Array} x @param {number} rows */
  forward(x, rows) {
    const { inputs, outputs, biased, w, b, y } = this;
    this.x = x;
    for (let r = 0, at = 0; r < rows; r++) {
      const from = r * inputs;
      for (let o = 0, k = 0; o < outputs; o++, at++) {
        let sum = biased ? b[o] : 0;
        for (let i = 0; i < inputs; i++, k++) sum += x[from + i] * w[k];
        y[at] = sum;
      }
    }
    return y;
  }

  /** @override @param {Float32Array} dy @param {number} rows */
  backward(dy, rows) {
    const { inputs, outputs, biased, w, dw, db, x, dx, line } = this;
    for (let o = 0; o < outputs; o++) {
      line.fill(0);
      let sum = 0;
      for (let r = 0; r < rows; r++) {
        const d = dy[r * outputs + o];
        if (d === 0) continue; // half of them behind a ReLU
        sum += d;
        for (let i = 0, from = r * inputs; i < inputs; i++) line[i] += d * x[from + i];
      }
      for (let i = 0, from = o * inputs; i < inputs; i++) dw[from + i] += line[i];
      if (biased) db[o] += sum;
    }
    for (let r = 0; r < rows; r++) {
      line.fill(0);
      for (let o = 0; o < outputs; o++) {
        const d = dy[r * outputs + o];
        if (d === 0) continue;
        for (let i = 0, from = o * inputs; i < inputs; i++) line[i] += d * w[from + i];
      }
      dx.set(line, r * inputs);
    }
    return dx;
  }
}

/** Ioffe and Szegedy 2015, with PyTorch's constants. */
class BatchNorm extends Part {
  static EPSILON = 1e-5;
  static MOMENTUM = 0.1;
  gamma = NOTHING;
  beta = NOTHING;
  dgamma = NOTHING;
  dbeta = NOTHING;
  mean = NOTHING;
  variance = NOTHING;

  /** @param {number} width @param {number} capacity */
  constructor(width, capacity) {
    super(width, width, capacity);
    this.width = width;
    this.size = this.kept = 2 * width;
    this.normal = new Float32Array(capacity * width);
    this.inverse = new Float32Array(width);
  }

  /**
   * @override @param {Float32Array} parameters @param {Float32Array} gradients
   * @param {Float32Array} kept
   */
  adopt(parameters, gradients, kept) {
    const n = this.width;
    [this.gamma, this.beta] = [parameters.subarray(0, n), parameters.subarray(n)];
    [this.dgamma, this.dbeta] = [gradients.subarray(0, n), gradients.subarray(n)];
    [this.mean, this.variance] = [kept.subarray(0, n), kept.subarray(n)];
  }

  /** @override @param {Float32Array} x @param {number} rows @param {boolean} training */
  forward(x, rows, training) {
    const { width, gamma, beta, mean, variance, normal, inverse, y } = this;
    const end = rows * width;
    for (let c = 0; c < width; c++) {
      let [m, v] = [mean[c], variance[c]];
      if (training) {
        m = v = 0;
        for (let k = c; k < end; k += width) m += x[k];
        m /= rows;
        for (let k = c; k < end; k += width) v += (x[k] - m) ** 2;
        mean[c] += BatchNorm.MOMENTUM * (m - mean[c]);
        // PyTorch divides by the biased variance and keeps the unbiased one.
        variance[c] += BatchNorm.MOMENTUM * (v / (rows - 1) - variance[c]);
        v /= rows;
      }
      const scale = 1 / Math.sqrt(v + BatchNorm.EPSILON);
      for (let k = c; k < end; k += width) {
        normal[k] = (x[k] - m) * scale;
        y[k] = gamma[c] * normal[k] + beta[c];
      }
      inverse[c] = scale;
    }
    return y;
  }

  /**
   * Of a forward pass in training: the batch's mean and variance depend on x too.
   * @override @param {Float32Array} dy @param {number} rows
   */
  backward(dy, rows) {
    const { width, gamma, dgamma, dbeta, normal, inverse, dx } = this;
    const end = rows * width;
    for (let c = 0; c < width; c++) {
      let [sum, along] = [0, 0];
      for (let k = c; k < end; k += width) {
        sum += dy[k];
        along += dy[k] * normal[k];
      }
      dbeta[c] += sum;
      dgamma[c] += along;
      const scale = (gamma[c] * inverse[c]) / rows;
      for (let k = c; k < end; k += width) {
        dx[k] = scale * (rows * dy[k] - sum - normal[k] * along);
      }
    }
    return dx;
  }
}

class Activation extends Part {
  /** @param {ActivationName} name @param {number} width @param {number} capacity */
  constructor(name, width, capacity) {
    super(width, width, capacity);
    this.width = width;
    const [f, slope] = ACTIVATIONS[name];
    this.f = f;
    this.slope = slope;
  }

  /** @override @param {Float32Array} x @param {number} rows */
  forward(x, rows) {
    const { f, y } = this;
    for (let k = 0, end = rows * this.width; k < end; k++) y[k] = f(x[k]);
    return y;
  }

  /** @override @param {Float32Array} dy @param {number} rows */
  backward(dy, rows) {
    const { slope, y, dx } = this;
    for (let k = 0, end = rows * this.width; k < end; k++) dx[k] = dy[k] * slope(y[k]);
    return dx;
  }
}

/** Multiplication by one learned number: ReZero's alpha. */
class Scale extends Part {
  alpha = NOTHING;
  dalpha = NOTHING;
  x = NOTHING;

  /** @param {number} width @param {number} capacity */
  constructor(width, capacity) {
    super(width, width, capacity);
    this.width = width;
    this.size = 1;
  }

  /** @override @param {Float32Array} parameters @param {Float32Array} gradients */
  adopt(parameters, gradients) {
    [this.alpha, this.dalpha] = [parameters, gradients];
  }

  /** @override @param {Float32Array} x @param {number} rows */
  forward(x, rows) {
    const { alpha, y } = this;
    this.x = x;
    for (let k = 0, end = rows * this.width; k < end; k++) y[k] = alpha[0] * x[k];
    return y;
  }

  /** @override @param {Float32Array} dy @param {number} rows */
  backward(dy, rows) {
    const { alpha, x, dx } = this;
    let sum = 0;
    for (let k = 0, end = rows * this.width; k < end; k++) {
      sum += dy[k] * x[k];
      dx[k] = alpha[0] * dy[k];
    }
    this.dalpha[0] += sum;
    return dx;
  }
}

/** y = after(merge(shortcut(x), scale(branch(x)))): merge adds, and shortcut is a factor. */
class Block extends Part {
  /** Whether the branch is cut off: the lesion. It may change between any two steps. */
  cut = false;
  x = NOTHING;
  f = NOTHING;

  /**
   * @param {Part[]} branch with its scale @param {number} shortcut 0 for a plain block
   * @param {Part[]} after @param {number} width @param {number} capacity
   */
  constructor(branch, shortcut, after, width, capacity) {
    super(width, width, capacity);
    this.branch = branch;
    this.shortcut = shortcut;
    this.after = after;
    this.width = width;
    // A plain block that loses its branch becomes the identity, as in residual_lib.probes.
    this.bypass = shortcut || 1;
  }

  /** @override @param {Float32Array} x @param {number} rows @param {boolean} training */
  forward(x, rows, training) {
    const { cut, width, y } = this;
    const s = cut ? this.bypass : this.shortcut;
    const f = cut ? NOTHING : through(this.branch, x, rows, training);
    [this.x, this.f] = [x, f];
    for (let k = 0, end = rows * width; k < end; k++) {
      // Not only a sum: 0 times an x that has overflowed isn't 0.
      y[k] = cut ? s * x[k] : s === 0 ? f[k] : s * x[k] + f[k];
    }
    return through(this.after, y, rows, training);
  }

  /** @override @param {Float32Array} dy @param {number} rows */
  backward(dy, rows) {
    const { cut, width, dx } = this;
    const s = cut ? this.bypass : this.shortcut;
    const d = back(this.after, dy, rows);
    const df = cut ? NOTHING : back(this.branch, d, rows);
    for (let k = 0, end = rows * width; k < end; k++) {
      dx[k] = cut ? s * d[k] : s === 0 ? df[k] : s * d[k] + df[k];
    }
    return dx;
  }

  /**
   * The branch's length over the shortcut's (over x's in a plain block), as they were merged: the
   * mean over the last pass's examples, but for those whose shortcut is 0.
   * @param {number} rows
   */
  ratio(rows) {
    const { x, f, bypass, width, cut } = this;
    if (cut) return 0;
    let [total, counted] = [0, 0];
    for (let r = 0, k = 0; r < rows; r++) {
      let [above, below] = [0, 0];
      for (const end = (r + 1) * width; k < end; k++) {
        above += f[k] ** 2;
        below += (bypass * x[k]) ** 2;
      }
      if (below === 0) continue;
      total += Math.sqrt(above / below);
      counted++;
    }
    return counted ? total / counted : 0;
  }
}

/**
 * @param {Part[]} parts one after the other; none of them is the identity
 * @param {Float32Array} x @param {number} rows @param {boolean} training
 */
function through(parts, x, rows, training) {
  for (const part of parts) x = part.forward(x, rows, training);
  return x;
}

/** @param {Part[]} parts @param {Float32Array} dy @param {number} rows */
function back(parts, dy, rows) {
  for (let i = parts.length - 1; i >= 0; i--) dy = parts[i].backward(dy, rows);
  return dy;
}

/** Stem, blocks and head: residual_lib's MLP with any kind of block. See `Spec`. */
export class Network {
  /** examples in the last forward pass */
  #rows = 0;

  /** @param {Spec} spec */
  constructor(spec) {
    const { kind, inputs, outputs, depth, width, activation, norm } = spec;
    check('kind', kind, KINDS);
    check('activation', activation, ACTIVATIONS);
    check('norm', norm, { none: 0, batch: 0 });
    if (!(depth >= 2 && depth % 2 === 0)) {
      throw new RangeError(`depth must be an even number from 2, got ${depth}`);
    }
    const capacity = (this.capacity = spec.capacity ?? 128);
    this.spec = spec;

    // BatchNorm subtracts any constant, so a bias before it would do nothing.
    const layer = (from = width) => new Linear(from, width, norm === 'none', capacity);
    const normed = () => (norm === 'none' ? [] : [new BatchNorm(width, capacity)]);
    const act = () => new Activation(activation, width, capacity);
    const { shortcut, preactivation, learned, after } = KINDS[kind];
    const block = () => {
      /** @type {Part[]} */
      const branch = preactivation
        ? [...normed(), act(), layer(), ...normed(), act(), layer()]
        : [layer(), ...normed(), act(), layer(), ...normed()];
      if (learned) branch.push(new Scale(width, capacity));
      const factor = shortcut(spec.factor ?? 0.5);
      return new Block(branch, factor, after ? [act()] : [], width, capacity);
    };

    this.blocks = Array.from({ length: depth / 2 - 1 }, block);
    // Where each branch begins with norm and activation, those of the stem go behind the last one.
    const tidy = [...normed(), act()];
    const [stem, last] = preactivation ? [[], tidy] : [tidy, []];
    const head = new Linear(width, outputs, true, capacity);
    this.chain = [layer(inputs), ...stem, ...this.blocks, ...last, head];
    this.parts = this.chain.flatMap((part) =>
      part instanceof Block ? [...part.branch, ...part.after] : [part],
    );
    this.layers = this.parts.filter((part) => part instanceof Linear);

    // One array of each, in PyTorch's order: a step of SGD is one loop.
    const size = this.parts.reduce((sum, part) => sum + part.size, 0);
    const kept = this.parts.reduce((sum, part) => sum + part.kept, 0);
    this.parameters = new Float32Array(size);
    this.gradients = new Float32Array(size);
    this.velocity = new Float32Array(size);
    this.statistics = new Float32Array(kept);
    let [p, k] = [0, 0];
    for (const part of this.parts) {
      const here = [p, (p += part.size)];
      part.adopt(
        this.parameters.subarray(...here),
        this.gradients.subarray(...here),
        this.statistics.subarray(k, (k += part.kept)),
      );
    }
    this.derivatives = new Float32Array(capacity * outputs);
  }

  /**
   * Draw the weights; kinds draw alike, so that one seed gives them the same layers.
   * @param {string} scheme one of SCHEMES
   * @param {Random} random
   * @param {boolean} [zero] whether each branch starts at 0: its last part with parameters does,
   *   which is the norm's gamma where a norm ends it (Goyal et al. 2017, section 5.1)
   */
  initialise(scheme, random, zero = false) {
    check('init', scheme, SCHEMES);
    this.parameters.fill(0); // biases, beta, alpha
    this.velocity.fill(0);
    for (const part of this.parts) {
      if (part instanceof BatchNorm) {
        part.gamma.fill(1);
        part.mean.fill(0);
        part.variance.fill(1);
      } else if (part instanceof Linear) {
        const { w, inputs, outputs } = part;
        const scale = SCHEMES[scheme](inputs, outputs, this.spec.activation);
        for (let i = 0; i < w.length; i++) w[i] = random.normal();
        if (scheme === 'orthogonal') orthonormalise(w, outputs, inputs);
        for (let i = 0; i < w.length; i++) w[i] *= scale;
      }
    }
    if (!zero) return;
    for (const { branch } of this.blocks) {
      const last = branch.findLast((part) => part.size > 1);
      if (last instanceof BatchNorm) last.gamma.fill(0);
      else if (last instanceof Linear) last.w.fill(0);
    }
  }

  /**
   * @param {Float32Array} x rows of examples @param {number} rows at most the capacity
   * @param {boolean} [training] whether BatchNorm uses the batch's statistics and keeps them
   * @returns {Float32Array} rows of outputs, valid until the next pass
   */
  forward(x, rows, training = false) {
    this.#rows = rows;
    return through(this.chain, x, rows, training);
  }

  /**
   * Mean loss of the last forward pass; fills `derivatives`, those by its output.
   * @param {Float32Array} y class numbers, or the values of a regression
   */
  loss(y) {
    const rows = this.#rows;
    const { outputs, regression } = this.spec;
    const z = this.layers[this.layers.length - 1].y;
    return (regression ? squaredError : crossEntropy)(z, y, rows, outputs, this.derivatives);
  }

  /** The gradients, of the last forward pass (in training) and the last loss. */
  backward() {
    this.gradients.fill(0);
    back(this.chain, this.derivatives, this.#rows);
  }

  /**
   * One step of SGD with momentum, in PyTorch's form.
   * @param {Float32Array} x @param {Float32Array} y @param {number} rows
   * @param {number} rate @param {number} momentum
   * @returns {number} the loss before the step
   */
  step(x, y, rows, rate, momentum) {
    this.forward(x, rows, true);
    const loss = this.loss(y);
    this.backward();
    const { parameters, gradients, velocity } = this;
    for (let i = 0; i < parameters.length; i++) {
      velocity[i] = momentum * velocity[i] + gradients[i];
      parameters[i] -= rate * velocity[i];
    }
    return loss;
  }

  /**
   * Loss and gradients of a batch that nothing is learned from, not even by the norms' statistics.
   * @param {Float32Array} x @param {Float32Array} y @param {number} rows
   */
  rehearse(x, y, rows) {
    const kept = this.statistics.slice();
    this.forward(x, rows, true);
    const loss = this.loss(y);
    this.backward();
    this.statistics.set(kept);
    return loss;
  }

  /** Norm of the last gradient by each layer's weights. @returns {Float32Array} stem to head */
  gradientNorms() {
    return Float32Array.from(this.layers, ({ dw }) => {
      let sum = 0;
      for (let i = 0; i < dw.length; i++) sum += dw[i] ** 2;
      return Math.sqrt(sum);
    });
  }

  /** `Block.ratio` of each block in the last forward pass. @returns {Float32Array} */
  ratios() {
    return Float32Array.from(this.blocks, (block) => block.ratio(this.#rows));
  }

  /**
   * Run a whole set through the network as it is, in pieces of its capacity.
   * @param {Float32Array} x @param {number} count
   * @param {(z: Float32Array, start: number, rows: number) => void} use gets each piece's output
   */
  sweep(x, count, use) {
    const { inputs } = this.spec;
    for (let start = 0; start < count; start += this.capacity) {
      const rows = Math.min(this.capacity, count - start);
      use(this.forward(x.subarray(start * inputs, (start + rows) * inputs), rows), start, rows);
    }
  }

  /**
   * Mean loss, and the share of wrong classes (NaN for a regression).
   * @param {{x: Float32Array, y: Float32Array, count: number}} set
   */
  evaluate({ x, y, count }) {
    const { outputs, regression } = this.spec;
    let [loss, wrong] = [0, regression ? NaN : 0];
    this.sweep(x, count, (z, start, rows) => {
      const target = y.subarray(start);
      loss += (this.loss(target) * rows) / count;
      if (regression) return;
      for (let r = 0; r < rows; r++) {
        if (largest(z, r * outputs, outputs) !== target[r]) wrong++;
      }
    });
    return { loss, error: wrong / count };
  }
}

/**
 * The first of the largest among some numbers, counted from `from`.
 * @param {Float32Array} z @param {number} from @param {number} count
 */
export function largest(z, from, count) {
  let best = 0;
  for (let c = 1; c < count; c++) if (z[from + c] > z[from + best]) best = c;
  return best;
}

/** @param {string} name @param {string} value @param {object} table */
function check(name, value, table) {
  if (Object.hasOwn(table, value)) return;
  throw new RangeError(`${name} must be one of ${Object.keys(table).join(', ')}, got ${value}`);
}

/**
 * Mean of -log softmax(z)[y] over rows, and its derivatives by z.
 * @param {Float32Array} z @param {Float32Array} y @param {number} rows @param {number} classes
 * @param {Float32Array} dz
 */
function crossEntropy(z, y, rows, classes, dz) {
  let total = 0;
  for (let r = 0; r < rows; r++) {
    const from = r * classes;
    let most = -Infinity;
    for (let k = from; k < from + classes; k++) most = Math.max(most, z[k]);
    let sum = 0;
    for (let k = from; k < from + classes; k++) sum += Math.exp(z[k] - most);
    total += Math.log(sum) + most - z[from + y[r]];
    for (let c = 0; c < classes; c++) {
      const share = Math.exp(z[from + c] - most) / sum;
      dz[from + c] = (share - (c === y[r] ? 1 : 0)) / rows;
    }
  }
  return total / rows;
}

/**
 * Mean of (z - y)^2, and its derivatives by z.
 * @param {Float32Array} z @param {Float32Array} y @param {number} rows @param {number} outputs
 * @param {Float32Array} dz
 */
function squaredError(z, y, rows, outputs, dz) {
  const count = rows * outputs;
  let total = 0;
  for (let k = 0; k < count; k++) {
    total += (z[k] - y[k]) ** 2;
    dz[k] = (2 * (z[k] - y[k])) / count;
  }
  return total / count;
}

/**
 * Make the rows or the columns of a matrix, whichever are fewer, orthonormal (Gram and Schmidt,
 * each projection taken from what the earlier ones have left).
 * @param {Float32Array} w @param {number} rows @param {number} columns
 */
function orthonormalise(w, rows, columns) {
  // Vector v has the entries v * step + i * stride.
  const [count, length, step, stride] =
    rows <= columns ? [rows, columns, columns, 1] : [columns, rows, 1, columns];
  const dot = (/** @type {number} */ a, /** @type {number} */ b) => {
    let sum = 0;
    for (let i = 0; i < length * stride; i += stride) sum += w[a * step + i] * w[b * step + i];
    return sum;
  };
  for (let v = 0; v < count; v++) {
    for (let u = 0; u < v; u++) {
      const along = dot(u, v);
      for (let i = 0; i < length * stride; i += stride) w[v * step + i] -= along * w[u * step + i];
    }
    const norm = Math.sqrt(dot(v, v));
    for (let i = 0; i < length * stride; i += stride) w[v * step + i] /= norm;
  }
}
