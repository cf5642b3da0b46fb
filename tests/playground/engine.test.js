// What PyTorch isn't needed for; its comparison is in test_engine.py.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KINDS, Network, SCHEMES } from '../../book/playground/engine.js';
import { Random } from '../../book/playground/random.js';

const spec = {
  ...{ kind: 'residual', inputs: 2, outputs: 2, regression: false, depth: 6, width: 64 },
  ...{ activation: 'relu', norm: 'none' },
};
const make = (options = {}, init = 'he', zero = false) => {
  const network = new Network({ ...spec, ...options });
  network.initialise(init, new Random(5), zero);
  return network;
};
const variance = (values) => values.reduce((sum, v) => sum + v * v, 0) / values.length;
const batch = () => {
  const random = new Random(9);
  const x = Float32Array.from({ length: 32 }, () => random.normal());
  return { x, y: Float32Array.from({ length: 16 }, (_, row) => row % 2), count: 16 };
};

test('a wrong option is refused by name', () => {
  for (const [name, value] of [
    ['kind', 'toString'],
    ['activation', 'sin'],
    ['norm', 'layer'],
  ]) {
    assert.throws(() => make({ [name]: value }), new RegExp(`^RangeError: ${name} must be one of`));
  }
  for (const depth of [0, 3, NaN]) assert.throws(() => make({ depth }), /depth must be an even/);
  assert.throws(() => make({}, 'constructor'), /init must be one of/);
});

test('weights have the variance of their scheme, biases are 0', () => {
  const [n, m] = [64, 64];
  const wanted = { naive: 1, xavier: 2 / (n + m), he: 2 / n };
  for (const [scheme, value] of Object.entries(wanted)) {
    const [, layer] = make({}, scheme).layers;
    // Four standard errors of the variance of 4096 normal numbers
    assert.ok(Math.abs(variance(layer.w) / value - 1) < 4 * Math.sqrt(2 / 4096), scheme);
    assert.ok(layer.b.every((b) => b === 0));
  }
});

test('orthogonal weights are orthonormal times the gain, along the shorter side', () => {
  for (const [activation, square] of [
    ['relu', 2],
    ['tanh', 1],
  ]) {
    const [stem, inner, , , , head] = make({ activation }, 'orthogonal').layers;
    for (const { w, inputs, outputs } of [stem, inner, head]) {
      const across = outputs <= inputs;
      const [count, length] = across ? [outputs, inputs] : [inputs, outputs];
      const at = (v, i) => (across ? w[v * inputs + i] : w[i * inputs + v]);
      for (let a = 0; a < count; a++) {
        for (let b = 0; b <= a; b++) {
          let dot = 0;
          for (let i = 0; i < length; i++) dot += at(a, i) * at(b, i);
          assert.ok(Math.abs(dot - (a === b ? square : 0)) < 1e-5, `${dot}`);
        }
      }
    }
  }
});

test('one seed gives every kind the same layers', () => {
  for (const norm of ['none', 'batch']) {
    const [first, ...others] = Object.keys(KINDS).map((kind) => make({ kind, norm }).layers);
    for (const layers of others) {
      layers.forEach(({ w }, index) => assert.deepEqual(w, first[index].w));
    }
  }
});

test('the equation: blocks that start at 0 and blocks that are cut are their shortcut', () => {
  const { x } = batch();
  const without = make({ depth: 2 });
  for (const kind of ['residual', 'rezero']) {
    const zero = make({ kind }, 'he', true);
    const cut = make({ kind });
    cut.parameters.fill(0.1); // so that a branch that isn't cut would show
    for (const block of cut.blocks) block.cut = true;
    for (const network of [zero, cut]) {
      const { layers } = network;
      for (const [mine, its] of [
        [layers[0], without.layers[0]],
        [layers.at(-1), without.layers[1]],
      ]) {
        mine.w.set(its.w);
        mine.b.set(its.b);
      }
      assert.deepEqual(network.forward(x, 16).slice(), without.forward(x, 16).slice());
      assert.ok(network.ratios().every((ratio) => ratio === 0));
    }
  }
});

test('a lesion is undone without a trace, and a cut branch does not learn', () => {
  const { x, y } = batch();
  const network = make({ norm: 'batch' });
  const before = network.forward(x, 16).slice();
  network.blocks[1].cut = true;
  assert.notDeepEqual(network.forward(x, 16).slice(), before);
  network.step(x, y, 16, 0.1, 0.9);
  const { 3: inside, 1: elsewhere } = network.gradientNorms();
  assert.equal(inside, 0);
  assert.ok(elsewhere > 0);
  const fresh = make({ norm: 'batch' });
  assert.deepEqual(network.layers[3].w, fresh.layers[3].w);
  network.parameters.set(fresh.parameters);
  network.statistics.set(fresh.statistics);
  network.blocks[1].cut = false;
  assert.deepEqual(network.forward(x, 16).slice(), before);
});

test('a rehearsal gives the gradients of a step and changes nothing', () => {
  const { x, y } = batch();
  for (const kind of Object.keys(KINDS)) {
    const [quiet, real] = [make({ kind, norm: 'batch' }), make({ kind, norm: 'batch' })];
    assert.equal(quiet.rehearse(x, y, 16), real.step(x, y, 16, 0, 0.9));
    assert.deepEqual(quiet.gradients, real.gradients);
    const untouched = make({ kind, norm: 'batch' });
    assert.deepEqual(quiet.parameters, untouched.parameters);
    assert.deepEqual(quiet.statistics, untouched.statistics);
    assert.ok(quiet.velocity.every((v) => v === 0));
  }
});

test('gradients are the slopes of the loss', () => {
  const { x, y } = batch();
  for (const kind of Object.keys(KINDS)) {
    const network = make({ kind, activation: 'tanh', norm: 'batch', width: 4, depth: 4 });
    if (kind === 'rezero') network.parameters.forEach((p, i, all) => (all[i] = p || 0.3));
    network.rehearse(x, y, 16);
    const gradients = network.gradients.slice();
    gradients.forEach((gradient, index) => {
      const at = network.parameters[index];
      const losses = [0.01, -0.01].map((by) => {
        network.parameters[index] = at + by;
        return network.rehearse(x, y, 16);
      });
      network.parameters[index] = at;
      const slope = (losses[0] - losses[1]) / 0.02;
      assert.ok(Math.abs(slope - gradient) < 2e-3, `${kind} ${index}: ${slope} ${gradient}`);
    });
  }
});

test('a set is evaluated in pieces as it is in one', () => {
  const set = batch();
  const small = make({ capacity: 5 }).evaluate(set);
  const large = make().evaluate(set);
  assert.ok(Math.abs(small.loss - large.loss) < 1e-6);
  assert.equal(small.error, large.error);
  assert.ok(Number.isNaN(make({ outputs: 1, regression: true }).evaluate(set).error));
});

test('every scheme that is offered can be drawn, and what diverges says NaN', () => {
  for (const scheme of Object.keys(SCHEMES)) {
    assert.ok(make({}, scheme).parameters.every(Number.isFinite), scheme);
  }
  const { x, y } = batch();
  const network = make({}, 'naive');
  let loss = 0;
  for (let step = 0; step < 50; step++) loss = network.step(x, y, 16, 1e6, 0.9);
  assert.ok(Number.isNaN(loss));
});
