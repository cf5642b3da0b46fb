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
  const valid = (asked, text) => {
    if (typeof text !== 'string') return false;
    if (asked.choices) return asked.choices.includes(text);
    return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) && +text >= asked.low && +text <= asked.high;
  };
  const said = (asked, text) => (asked.choices ? text : (+text).toLocaleString('en') + asked.unit);
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
    const inputs = [...form.querySelectorAll('input')];
    const before = read(asked.id);
    if (valid(asked, before)) {
      if (asked.choices) inputs[asked.choices.indexOf(before)].checked = true;
      else inputs[0].value = before;
      sentence.textContent = 'Your prediction: ' + said(asked, before) + '. You can change it.';
    }
    form.querySelector('fieldset').disabled = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      const index = inputs.findIndex((input) => input.checked);
      const answer = asked.choices ? asked.choices[index] : String(inputs[0].valueAsNumber);
      if (!valid(asked, answer)) return;
      const lasts = write(asked.id, answer);
      sentence.textContent = 'Kept: ' + said(asked, answer) + '. ' + (lasts
        ? 'You will see it again beside the measurement.'
        : 'This browser stores nothing, so it lasts until you leave the page.');
      document.dispatchEvent(new Event('residual-prediction'));
    });
  }

  for (const [root, asked, sentence] of find('.rl-recall')) {
    const yours = root.querySelector('.rl-yours');
    const none = [...yours.childNodes];
    const compare = () => {
      const answer = read(asked.id);
      if (!valid(asked, answer)) {
        yours.replaceChildren(...none);
        sentence.textContent = '';
        return;
      }
      yours.textContent = said(asked, answer);
      if (asked.choices) {
        sentence.textContent = !asked.answer ? ''
          : asked.answer === answer ? 'The measurement agrees with you.'
          : 'The measurement says otherwise: ' + asked.answer + '.';
        return;
      }
      const apart = Number(Math.abs(asked.measured - answer).toPrecision(2));
      const side = asked.measured > answer ? ' higher' : ' lower';
      sentence.textContent = apart === 0 ? 'Exactly what was measured.'
        : 'The measurement is ' + apart.toLocaleString('en') + asked.apart + side
          + ' than your prediction.';
    };
    compare();
    document.addEventListener('residual-prediction', compare);
    window.addEventListener('storage', compare);
  }
})();
