// Static explorers: inputs choose one of the frames that lie beside them as data.
// Runs once for each explorer on the page and looks after those that wait; nothing is global.
(() => {
  for (const root of document.querySelectorAll('.rl-explorer:not([data-ready])')) {
    const source = root.querySelector('script[type="application/json"]');
    if (!source) continue;
    root.dataset.ready = '';
    // parts and runs: see frames.py; says: a sentence a frame; texts: the values of each control
    const { parts, runs, says, texts } = JSON.parse(source.textContent);
    const controls = [...root.querySelectorAll('.rl-control')];
    const figure = root.querySelector('.rl-frame');
    const sentence = root.querySelector('.rl-says');

    const chosen = (control) => {
      const input = control.querySelector('input:checked,input:not([type=radio]),select');
      return input.type === 'checkbox' ? +input.checked : +input.value;
    };
    const compose = (run) => {
      let text = '';
      for (let i = 0; i < run.length; i += 2) {
        text += parts.slice(run[i], run[i] + run[i + 1]).join('');
      }
      return text;
    };
    const draw = () => {
      // The last control runs fastest, as in itertools.product.
      let frame = 0;
      controls.forEach((control, k) => {
        const at = chosen(control);
        frame = frame * texts[k].length + at;
        const value = control.querySelector('.rl-value');
        if (value) {
          value.textContent = texts[k][at];
          control.querySelector('input').setAttribute('aria-valuetext', texts[k][at]);
        }
      });
      figure.innerHTML = compose(runs[frame]);
      sentence.textContent = says[frame];
    };
    root.addEventListener('input', draw);
    root.querySelector('.rl-controls').hidden = false;
    root.querySelector('.rl-without').remove();
  }
})();
