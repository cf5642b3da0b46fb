import assert from 'node:assert/strict';
import { test } from 'node:test';
import { along, between, decades, ticks } from '../../book/playground/view/scale.js';

test('decades stand around the numbers, and what is no number is left out', () => {
  assert.deepEqual(decades([0.02, 3]), [-2, 1]);
  assert.deepEqual(decades([0, NaN, -1, Infinity, 0.5]), [-1, 0]);
  assert.deepEqual(decades([1]), [0, 1]);
  assert.deepEqual(decades([]), [-1, 0]);
  assert.deepEqual(decades([1e-30, 1e30]), [-15, 4]);
  assert.deepEqual(decades([1e30]), [3, 4]);
});

test('an axis grows at once and shrinks slowly', () => {
  assert.deepEqual(decades([0.02, 3], [-1, 0]), [-2, 1]);
  assert.deepEqual(decades([0.02, 3], [-3, 2]), [-3, 2]);
  assert.deepEqual(decades([0.02, 3], [-9, 4]), [-3, 2]);
  assert.deepEqual(decades([], [-4, 2]), [-4, 2]);
});

test('places on a logarithmic axis', () => {
  assert.ok(Math.abs(along(0.1, [-2, 0]) - 0.5) < 1e-12);
  assert.equal(along(0, [-2, 0]), 0);
  assert.equal(along(NaN, [-2, 0]), 0);
  assert.equal(along(1e9, [-2, 0]), 1);
});

test('at most three numbers are written at an axis', () => {
  assert.deepEqual(ticks([-2, 0]), [-2, -1, 0]);
  assert.deepEqual(ticks([-1, 0]), [-1, 0]);
  for (let low = -15; low < 4; low++) {
    for (let high = low + 1; high <= 4; high++) {
      const all = ticks([low, high]);
      assert.ok(all.length >= 2 && all.length <= 3 && all.at(-1) <= high, `${low} ${high}`);
    }
  }
});

test('between the points of a grid a plane stays a plane', () => {
  const side = 4;
  const plane = (u, v) => 2 + 3 * u - v;
  const field = Float32Array.from({ length: side * side }, (_, k) =>
    plane((k % side) / (side - 1), Math.floor(k / side) / (side - 1)),
  );
  for (const [u, v] of [
    [0, 0],
    [1, 1],
    [0.5, 0.25],
    [0.99, 0.01],
  ]) {
    assert.ok(Math.abs(between(field, side, u, v) - plane(u, v)) < 1e-6);
  }
});
