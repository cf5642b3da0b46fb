// Predictions: the reader's answer stays in this browser and comes back beside the measurement.
// What storage holds may be anything: it is checked, and only ever becomes text.
(() => {
  const name = (id) => 'residual-course.prediction.' + id;
  // Where the browser refuses storage, answers last as long as the page.
  const memory = (window.residualPredictions ||= new Map());
  const read = (id) => {
    try {
      return localStorage.getItem(name(id)) ?? memory.get(id);
    } catch {
      return memory.get(id);
    }
  };
  const write = (id, value) => {
    memory.set(id, value);
    try {
      localStorage.setItem(name(id), value);
      return true;
    } catch {
      return false;
    }
  };
  // A kind of answer: `read` gives what a stored text holds, or undefined; `said` says it in
  // words, `listed` in full; `field` is where it is given; `compare` says how it did.
  const choices = {
    read: (asked, text) => (asked.choices.includes(text) ? text : undefined),
    said: (asked, choice) => choice,
    field: (form, asked) => {
      const inputs = [...form.querySelectorAll('input')];
      return {
        get: () => asked.choices[inputs.findIndex((input) => input.checked)],
        set: (choice) => { inputs[asked.choices.indexOf(choice)].checked = true; },
      };
    },
    compare: (root, asked, choice) => (!choice || !asked.answer ? ''
      : asked.answer === choice ? 'The measurement agrees with you.'
      : 'The measurement says otherwise: ' + asked.answer + '.'),
  };
  const numbers = {
    read: (asked, text) => {
      const plain = typeof text === 'string' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text);
      return plain && +text >= asked.low && +text <= asked.high ? +text : undefined;
    },
    said: (asked, number) => number.toLocaleString('en') + asked.unit,
    field: (form) => {
      const input = form.querySelector('input');
      return {
        get: () => String(input.valueAsNumber),
        set: (number) => { input.value = number; },
      };
    },
    compare: (root, asked, number) => {
      if (number === undefined) return '';
      const apart = Number(Math.abs(asked.measured - number).toPrecision(2));
      const side = asked.measured > number ? ' higher' : ' lower';
      return apart === 0 ? 'Exactly what was measured.'
        : 'The measurement is ' + apart.toLocaleString('en') + asked.apart + side
          + ' than your prediction.';
    },
  };
  const kindOf = (asked) =>
    (asked.choices ? choices : asked.names ? window.residualCurve : numbers);
  // The page of progress reads stored answers in the same way.
  window.residualPredictionKind = kindOf;
  const find = (selector) => {
    const roots = [...document.querySelectorAll(selector + ':not([data-ready])')];
    return roots.map((root) => {
      root.dataset.ready = '';
      root.querySelector('.rl-without')?.remove();
      const asked = JSON.parse(root.querySelector('script[type="application/json"]').textContent);
      return [root, asked, root.querySelector('.rl-says')];
    });
  };

  for (const [form, asked, sentence] of find('.rl-predict')) {
    const kind = kindOf(asked);
    const field = kind.field(form, asked);
    const before = kind.read(asked, read(asked.id));
    if (before !== undefined) {
      field.set(before);
      sentence.textContent = 'Your prediction: ' + kind.said(asked, before) + '. You can change it.';
    }
    form.querySelector('fieldset').disabled = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const text = field.get();
      const answer = kind.read(asked, text);
      if (answer === undefined) {
        if (asked.names) sentence.textContent = 'Nothing is drawn yet: move the points first.';
        return;
      }
      const lasts = write(asked.id, text);
      sentence.textContent = 'Kept: ' + kind.said(asked, answer) + '. ' + (lasts
        ? 'You will see it again beside the measurement.'
        : 'This browser stores nothing, so it lasts until you leave the page.');
      document.dispatchEvent(new Event('residual-prediction'));
    });
  }

  for (const [root, asked, sentence] of find('.rl-recall')) {
    const kind = kindOf(asked);
    const yours = root.querySelector('.rl-yours');
    const none = [...yours.childNodes];
    const compare = () => {
      const answer = kind.read(asked, read(asked.id));
      if (answer === undefined) yours.replaceChildren(...none);
      else yours.textContent = kind.said(asked, answer);
      sentence.textContent = kind.compare(root, asked, answer);
    };
    compare();
    document.addEventListener('residual-prediction', compare);
    window.addEventListener('storage', compare);
  }
})();
