import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Batches, DATA, makeData, readDigits } from '../../book/playground/data.js';
import { Random } from '../../book/playground/random.js';

const MADE = DATA.filter((name) => name !== 'digits');
const rows = ({ x, y, count }) => {
  const inputs = x.length / count;
  return Array.from({ length: count }, (_, r) => [
    ...x.subarray(r * inputs, (r + 1) * inputs),
    y[r],
  ]);
};

test('a seed repeats its data, and train and test differ', () => {
  for (const name of MADE) {
    const [one, same, other] = [1, 1, 2].map((seed) => makeData(name, 0.1, seed));
    assert.deepEqual(one, same);
    assert.notDeepEqual(one.train.x, other.train.x);
    assert.notDeepEqual(one.train.x, one.test.x);
    assert.ok(one.train.x.every(Number.isFinite));
  }
  assert.throws(() => makeData('constructor', 0, 1), /data must be one of/);
});

test('without noise the sets are what their formulas say', () => {
  for (const [x, y] of rows(makeData('wave', 0, 1).train)) {
    assert.ok(Math.abs(y - Math.sin(2 * Math.PI * x)) < 1e-5);
  }
  for (const [a, b, y] of rows(makeData('xor', 0, 1).train)) assert.equal(y, a * b > 0 ? 1 : 0);
  for (const [a, b, y] of rows(makeData('circles', 0, 1).train)) {
    const radius = Math.hypot(a, b);
    assert.ok(y ? radius > 0.59 && radius < 0.91 : radius < 0.41);
  }
  for (const [a, b, y] of rows(makeData('spiral', 0, 1).train)) {
    const angle = (3 * Math.PI * Math.hypot(a, b)) / 0.9 + Math.PI * y;
    assert.ok(Math.abs(Math.atan2(b, a) - Math.atan2(Math.sin(angle), Math.cos(angle))) < 1e-3);
  }
});

test('classes are balanced to a tenth', () => {
  for (const name of MADE.filter((name) => name !== 'wave')) {
    const { y, count } = makeData(name, 0.1, 1).train;
    assert.ok(Math.abs(y.reduce((sum, one) => sum + one, 0) / count - 0.5) < 0.1, name);
  }
});

test('every round of batches has each example once', () => {
  const examples = makeData('wave', 0, 1).train;
  const batches = new Batches(examples, 96, new Random(1));
  const seen = [];
  for (let step = 0; step < 8; step++) {
    batches.next();
    seen.push(...batches.x);
  }
  const sorted = (values) => Float32Array.from(values).sort();
  const [first, second] = [seen.slice(0, 256), seen.slice(256, 512)];
  assert.deepEqual(sorted(first), sorted(examples.x));
  assert.deepEqual(sorted(second), sorted(examples.x));
  assert.notDeepEqual(first, second);
});

test('a batch larger than the set goes round more than once', () => {
  const batches = new Batches({ ...makeData('wave', 0, 1).train, count: 256 }, 300, new Random(1));
  batches.next();
  assert.ok(batches.x.every(Number.isFinite));
});

test('a file of digits that is cut short is refused', () => {
  assert.throws(() => readDigits(new ArrayBuffer(13), 0, 1), RangeError);
});
