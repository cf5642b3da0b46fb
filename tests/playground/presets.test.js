// The presets' stories, over three seeds each. Thresholds leave room: plain guesses at 50 %.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeData } from '../../book/playground/data.js';
import { PRESETS } from '../../book/playground/presets.js';
import { Simulation } from '../../book/playground/simulation.js';
import { read, write } from '../../book/playground/state.js';

const queries = Object.fromEntries(PRESETS.map(({ id, query }) => [id, query]));
const open = (query, changes) => {
  const state = { ...read(query).state, ...changes };
  return new Simulation(state, makeData(state.data, state.noise, state.seed));
};
const run = (simulation, steps) => {
  for (let n = 0; n < steps; n++) simulation.step();
  return simulation;
};
const errors = (simulation, set = 'test') => simulation.survey().map((side) => side[set].error);

test('every preset is a valid address, the shortest there is', () => {
  for (const { id, query } of PRESETS) {
    const { state, replaced } = read(query);
    assert.deepEqual(replaced, [], id);
    assert.equal(write(state), query.split('&').sort(byField).join('&'), id);
  }
});
const order = Object.keys(read('').state);
const byField = (a, b) => order.indexOf(a.split('=')[0]) - order.indexOf(b.split('=')[0]);

test('56 plain layers guess even on their training data, and with the skip they learn', () => {
  for (const seed of [1, 2, 3]) {
    const simulation = run(open(queries['add-the-skip'], { seed }), 300);
    const [plain, residual] = errors(simulation, 'train');
    assert.ok(plain > 0.35, `seed ${seed}: plain ${plain}`);
    assert.ok(residual < 0.2, `seed ${seed}: residual ${residual}`);
  }
});

test('the preset without the skip is the left half of the one with it', () => {
  const [alone, both] = ['deep-plain', 'add-the-skip'].map((id) => run(open(queries[id]), 2));
  assert.deepEqual(alone.networks[0].parameters, both.networks[0].parameters);
});

test('the gradient fades in the plain network, and not beside it', () => {
  for (const seed of [1, 2, 3]) {
    const sides = open(queries['vanishing'], { seed }).look();
    const [plain, beside] = sides.map(({ gradient }) => gradient[0] / gradient.at(-1));
    assert.ok(plain < 1e-10, `seed ${seed}: plain ${plain}`);
    assert.ok(beside > 1e-3, `seed ${seed}: pre-activation ${beside}`);
  }
});

test('with half a shortcut 56 layers guess, with the whole one they learn', () => {
  for (const seed of [1, 2, 3]) {
    const [half, whole] = errors(run(open(queries['half-a-shortcut'], { seed }), 300), 'train');
    assert.ok(half > 0.35, `seed ${seed}: half ${half}`);
    assert.ok(whole < 0.2, `seed ${seed}: whole ${whole}`);
  }
});

test('cutting blocks hurts the plain network more', () => {
  for (const seed of [1, 2, 3]) {
    const simulation = run(open(queries['cut-a-block'], { seed }), 400);
    const whole = errors(simulation);
    assert.ok(Math.max(...whole) < 0.1, `seed ${seed}: ${whole}`);
    const { state } = simulation;
    const lost = [0, 0];
    for (const block of [1, 2, 3, 4, 5, 6]) {
      simulation.tune({ ...state, cut: [block] });
      const cut = errors(simulation);
      cut.forEach((error, side) => (lost[side] += (error - whole[side]) / 6));
      if (block === 3) assert.ok(cut[0] > cut[1] + 0.2, `seed ${seed}: block 3 ${cut}`);
    }
    assert.ok(lost[0] > 2 * lost[1], `seed ${seed}: mean loss ${lost}`);
  }
});

test('without a norm branches that start at 0 learn, and others do not', () => {
  for (const seed of [1, 2, 3]) {
    const [zero, he] = [1, 0].map((zero) =>
      errors(run(open(queries['zero-init'], { seed, zero }), 300)),
    );
    assert.ok(zero[0] < 0.4, `seed ${seed}: from 0 ${zero}`);
    assert.ok(!(he[0] < 0.45), `seed ${seed}: from he ${he}`);
  }
});
