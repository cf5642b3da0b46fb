import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FIELDS, defaults, read, write } from '../../book/playground/state.js';

const clean = (query) => {
  const { state, replaced } = read(query);
  assert.deepEqual(replaced, [], query);
  return state;
};

test('an empty address has the defaults, and they need no address', () => {
  assert.deepEqual(clean(''), defaults());
  assert.equal(write(defaults()), '');
  for (const [name, { initial, read }] of Object.entries(FIELDS)) {
    if (name !== 'cut') assert.equal(read(String(initial)), initial, name);
  }
});

test('every allowed value comes back from its address', () => {
  for (const [name, field] of Object.entries(FIELDS)) {
    for (const value of field.values ?? []) {
      const state = { ...defaults(), [name]: value };
      assert.deepEqual(clean(`?${write(state)}`), state);
    }
  }
  const state = { ...defaults(), seed: 9999, depth: 56, cut: [3, 27] };
  assert.deepEqual(clean(write(state)), state);
  assert.equal(write(state), 'seed=9999&depth=56&cut=3,27');
});

const HOSTILE = [
  '',
  ' 20',
  '20 ',
  '+20',
  '2e1',
  '0x14',
  '-2',
  'NaN',
  'Infinity',
  '1e999',
  '9'.repeat(500),
  '<script>alert(1)</script>',
  'javascript:alert(1)',
  '__proto__',
  'constructor',
  'toString',
  '[object Object]',
  '3,',
  ',3',
  '3,3',
  '0',
  '32',
  '1,2,3;4',
  '\u0000',
  '\ud800',
  '%',
  '٣',
];

test('what is not allowed gives the default and one message', () => {
  for (const [name, field] of Object.entries(FIELDS)) {
    for (const text of HOSTILE) {
      const { state, replaced } = read(new URLSearchParams([[name, text]]).toString());
      const allowed = replaced.length === 0;
      if (allowed) assert.ok(field.values?.includes(state[name]) ?? true);
      else {
        assert.deepEqual(state, defaults(), `${name}=${text}`);
        assert.equal(replaced.length, 1);
        assert.equal(replaced[0].field, name);
        assert.ok(replaced[0].given.length <= 43);
        assert.match(replaced[0].message, /^Replaced by|have 9 blocks/);
      }
    }
  }
});

test('unknown and repeated settings are left out and reported', () => {
  for (const key of ['__proto__', 'constructor', 'toString', 'Depth', '<b>', '']) {
    const { state, replaced } = read(new URLSearchParams([[key, '1']]).toString());
    assert.deepEqual(state, defaults());
    assert.equal(replaced.length, 1);
    assert.match(replaced[0].message, /no such setting/);
  }
  const { state, replaced } = read('depth=8&depth=64');
  assert.equal(state.depth, 8);
  assert.match(replaced[0].message, /twice/);
  assert.equal({}.polluted, undefined);
});

test('what is right is kept beside what is wrong', () => {
  const { state, replaced } = read('depth=8&width=17&kind=rezero&cut=3');
  assert.deepEqual(state, { ...defaults(), depth: 8, kind: 'rezero', cut: [3] });
  assert.deepEqual(
    replaced.map(({ field }) => field),
    ['width'],
  );
  assert.match(replaced[0].message, /Allowed: 2, 4, 8, 16, 32/);
});

test('a block that is not there is not cut', () => {
  const { state, replaced } = read('depth=8&cut=1,4');
  assert.deepEqual(state.cut, []);
  assert.deepEqual(
    replaced.map(({ field, given }) => [field, given]),
    [['cut', '4']],
  );
});

test('an endless address is not read', () => {
  const { state, replaced } = read(`depth=8&${'a=1&'.repeat(100_000)}`);
  assert.deepEqual(state, defaults());
  assert.equal(replaced.length, 1);
});

test('random addresses never throw', () => {
  let seed = 1;
  const random = (below) => (seed = (seed * 48271) % 2147483647) % below;
  for (let round = 0; round < 2000; round++) {
    const query = Array.from({ length: random(60) }, () => String.fromCharCode(random(300))).join(
      '',
    );
    const { state } = read(query);
    assert.deepEqual(clean(write(state)), state);
  }
});

test('defaults are not shared', () => {
  defaults().cut.push(1);
  assert.deepEqual(defaults().cut, []);
});
