import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeData } from '../../book/playground/data.js';
import { GRID, REACH, SHOWN, Simulation, points } from '../../book/playground/simulation.js';
import { defaults } from '../../book/playground/state.js';

const open = (options = {}) => {
  const state = { ...defaults(), depth: 8, ...options };
  return new Simulation(state, makeData(state.data, state.noise, state.seed));
};
const run = (simulation, steps) => {
  for (let n = 0; n < steps; n++) simulation.step();
  return simulation;
};

test('two networks of one kind stay the same; the skip is the only difference', () => {
  const twins = run(open({ kind: 'residual', beside: 'residual', norm: 'batch' }), 20).networks;
  assert.deepEqual(twins[0].parameters, twins[1].parameters);
  const [plain, residual] = open().networks;
  assert.deepEqual(plain.parameters, residual.parameters);
});

test('a seed repeats a whole training, watched or not', () => {
  const quiet = run(open({ norm: 'batch' }), 30);
  const watched = open({ norm: 'batch' });
  let seen;
  for (let n = 0; n < 30; n++) {
    watched.look();
    watched.step();
    seen = watched.look();
    watched.survey();
  }
  quiet.networks.forEach((network, side) => {
    assert.deepEqual(network.parameters, watched.networks[side].parameters);
    assert.deepEqual(network.statistics, watched.networks[side].statistics);
  });
  assert.deepEqual(quiet.look(), seen);
});

test('a look has a bar a layer and a block, before the first step too', () => {
  const simulation = open();
  for (const side of simulation.look()) {
    assert.equal(side.gradient.length, 8);
    assert.equal(side.ratio.length, 3);
    assert.ok([...side.gradient, ...side.ratio].every((value) => value > 0));
    assert.ok(Number.isNaN(side.loss) && !side.diverged);
  }
});

test('rate, momentum, speed and cuts change on the way; anything else begins anew', () => {
  const simulation = run(open(), 3);
  const { state } = simulation;
  assert.ok(simulation.tune({ ...state, rate: 0.1, momentum: 0, speed: 5, cut: [2] }));
  assert.deepEqual(
    simulation.networks[0].blocks.map(({ cut }) => cut),
    [false, true, false],
  );
  assert.equal(simulation.look()[1].ratio[1], 0);
  assert.equal(simulation.look()[1].gradient[3], 0);
  assert.ok(!simulation.tune({ ...state, depth: 10 }));
  assert.equal(simulation.state.rate, 0.1);
});

test('one that diverges stops, and the other goes on', () => {
  const simulation = run(
    open({ kind: 'plain', beside: 'residual', norm: 'none', init: 'naive', rate: 1 }),
    60,
  );
  const before = simulation.networks.map(({ parameters }) => parameters.slice());
  const diverged = simulation.look().map((side) => side.diverged);
  assert.ok(diverged.includes(true));
  run(simulation, 1);
  diverged.forEach((gone, side) => {
    if (gone) assert.deepEqual(simulation.networks[side].parameters, before[side]);
  });
});

test('the field is a probability on a square, a curve on a line, and nothing for digits', () => {
  assert.deepEqual([...points(2).subarray(0, 2)], [-REACH, -REACH].map(Math.fround));
  assert.deepEqual([...points(2).subarray(-2)], [REACH, REACH].map(Math.fround));
  assert.ok(points(2)[2] > -REACH && points(2)[3] === Math.fround(-REACH));
  assert.equal(points(64).length, 0);
  const [survey] = open({ beside: 'none' }).survey();
  assert.equal(survey.field.length, GRID * GRID);
  assert.ok(survey.field.every((share) => share >= 0 && share <= 1));
  const [curve] = open({ data: 'wave', beside: 'none' }).survey();
  assert.equal(curve.field.length, 3 * GRID);
  assert.ok(curve.train.loss > 0 && Number.isNaN(curve.train.error));
});

test('of digits the field is what they are read as', () => {
  const image = (digit) => Float32Array.from({ length: 64 }, (_, pixel) => (pixel % 10 === digit ? 3 : 0));
  const count = 40;
  const y = Float32Array.from({ length: count }, (_, index) => index % 10);
  const x = Float32Array.from([...y].flatMap((digit) => [...image(digit)]));
  const set = { x, y, count };
  const data = { inputs: 64, outputs: 10, regression: false, train: set, test: set };
  const simulation = run(new Simulation({ ...defaults(), depth: 4, beside: 'none' }, data), 200);
  const [{ field, test: held }] = simulation.survey();
  assert.equal(held.error, 0);
  assert.deepEqual(field, y.subarray(0, SHOWN));
  assert.deepEqual(simulation.examples.y, field);
  assert.equal(simulation.examples.x.length, 64 * SHOWN);
});

test('it learns', () => {
  for (const [data, most] of [
    ['circles', 0.05],
    ['xor', 0.1],
  ]) {
    const simulation = run(open({ data, noise: 0, kind: 'residual', beside: 'none' }), 300);
    const [{ test: held }] = simulation.survey();
    assert.ok(held.error < most, `${data}: ${held.error}`);
  }
});
