import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LossHistory } from '../../book/playground/view/history.js';

test('a short history is kept whole', () => {
  const history = new LossHistory();
  for (const steps of [0, 3, 6]) history.add(steps, [steps]);
  assert.deepEqual(
    history.points.map(({ steps }) => steps),
    [0, 3, 6],
  );
});

test('a long one is thinned, from its first point to its last', () => {
  const history = new LossHistory();
  for (let steps = 0; steps <= 100_000; steps += 7) {
    history.add(steps, [steps]);
    assert.ok(history.points.length <= 400);
    assert.equal(history.points.at(-1).steps, steps);
  }
  const at = history.points.map(({ steps }) => steps);
  assert.equal(at[0], 0);
  const gaps = at.slice(1).map((steps, index) => steps - at[index]);
  assert.ok(gaps.every((gap) => gap > 0));
  assert.ok(at.length > 100 && Math.max(...gaps) < 100_000 / 50, `${at.length} ${Math.max(...gaps)}`);
});

test('a loss that jumps at one step, as after a cut, has both points', () => {
  const history = new LossHistory();
  for (const loss of [3, 2, 1]) history.add(5, [loss]);
  assert.deepEqual(
    history.points.map(({ values }) => values[0]),
    [3, 1],
  );
});
