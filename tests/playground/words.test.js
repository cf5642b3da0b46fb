import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bars, called, numbers, picture, short, summary } from '../../book/playground/view/words.js';

const side = { kind: 'rezero', diverged: false };
const survey = {
  train: { loss: 0.0123, error: 0.041 },
  test: { loss: 1.26, error: 0.5 },
  field: Float32Array.of(0.1, 0.9, 0.8, 0.7),
};

test('numbers have two digits', () => {
  assert.deepEqual(
    [0, 0.0123, 1.26, 99.6, 0.00051, 12345, NaN, -0.5].map(short),
    ['0', '0.012', '1.3', '100', '5e-4', '1e+4', 'no number', '-0.5'],
  );
});

test('names of values', () => {
  assert.equal(called('preactivation'), 'pre-activation');
  assert.equal(called(0.03), '0.03');
  assert.equal(called('plain'), 'plain');
});

test('the sentence has the step and both losses of each network', () => {
  assert.equal(
    summary(7, [side, { kind: 'plain', diverged: true }], [survey, survey]),
    'Step 7: ReZero, training loss 0.012, test loss 1.3, 50 % of the test wrong; ' +
      'plain has diverged: its loss is no number any more.',
  );
  assert.equal(numbers(side, survey), 'error: train 4 %, test 50 %');
  assert.equal(numbers({ ...side, diverged: true }, survey), 'diverged');
});

test('a regression has no share of wrong classes', () => {
  const fit = { train: { loss: 1, error: NaN }, test: { loss: 2, error: NaN } };
  assert.equal(summary(0, [side], [fit]), 'Step 0: ReZero, training loss 1, test loss 2.');
  assert.equal(numbers(side, fit), 'test loss 2');
});

test('each picture has its sentence', () => {
  const shown = { inputs: 2, regression: false, y: Float32Array.of(0, 1) };
  assert.match(picture(side, survey, shown), /75 % of the square .* 4 % of the training points/);
  assert.match(picture(side, survey, { ...shown, inputs: 1, regression: true }), /from 0.1 to 0.9/);
  const digits = { inputs: 64, regression: false, y: Float32Array.of(3, 5, 7) };
  const read = { ...survey, field: Float32Array.of(3, 5, 1) };
  assert.match(picture(side, read, digits), /2 of 3 digits read right/);
  assert.equal(
    bars('plain, gradient norm', 'layer', [0.5, 1e-9, 2]),
    'plain, gradient norm: 0.5 at layer 1, 2 at layer 3; from 1e-9 to 2.',
  );
  assert.match(bars('plain', 'block', []), /no block to show/);
});
