import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../book/playground/random.js';

test("xoshiro128** gives the sequence of its authors' C code", () => {
  const random = Random.from([0, 1, 2, 3]);
  const expected = [5760, 17280, 2966400, 32451840, 2604340873, 3891234569, 1254043636, 216095511];
  assert.deepEqual(
    expected.map(() => random.bits()),
    expected,
  );
});

test('a seed repeats its numbers; another seed or stream has others', () => {
  const draw = (...given) => {
    const random = new Random(...given);
    return Array.from({ length: 4 }, () => random.bits());
  };
  assert.deepEqual(draw(7), draw(7));
  assert.notDeepEqual(draw(7), draw(8));
  assert.notDeepEqual(draw(7), draw(7, 1));
  assert.notDeepEqual(draw(0), [0, 0, 0, 0]);
});

test('the moments of uniform and normal numbers', () => {
  const random = new Random(3);
  const count = 100_000;
  const moment = (values, power) => values.reduce((sum, v) => sum + v ** power, 0) / count;
  const uniform = Array.from({ length: count }, () => random.uniform());
  const normal = Array.from({ length: count }, () => random.normal());
  const near = (value, wanted, by) => assert.ok(Math.abs(value - wanted) < by, `${value}`);
  near(moment(uniform, 1), 1 / 2, 0.005);
  near(moment(uniform, 2), 1 / 3, 0.005);
  // Four standard errors: 4 sqrt(var / count)
  near(moment(normal, 1), 0, 0.013);
  near(moment(normal, 2), 1, 0.018);
  near(moment(normal, 4), 3, 0.124);
});
