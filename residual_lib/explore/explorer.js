// Static explorers: inputs choose one of the frames that lie beside them as data.
// Runs once for each explorer on the page and looks after those that wait; nothing is global.
(() => {
  for (const root of document.querySelectorAll('.rl-explorer:not([data-ready])')) {
    const source = root.querySelector('script[type="application/json"]');
    if (!source) continue;
    root.dataset.ready = '';
    const find = (selector) => root.querySelector(selector);
    const own = root.dataset.name;
    const controls = [...root.querySelectorAll('.rl-control')];
    const [figure, sentence, more, address] =
      ['.rl-frame', '.rl-says', '.rl-more', '.rl-address'].map(find);
    const home = (document.querySelector('link[rel=canonical]') || location).href.split('#')[0];
    // Read when it is first needed: most explorers of a page are only looked at.
    // parts and runs: see frames.py; says: a sentence a frame; for each control its name, texts,
    // keys (texts in a link) and start; columns and tables: see _content in explorer.py
    let held;
    const data = () => (held ||= JSON.parse(source.textContent));

    const inputs = (k) => [...controls[k].querySelectorAll('input,select')];
    const chosen = (k) => {
      const all = inputs(k);
      return all[1] ? all.findIndex((each) => each.checked)
        : all[0].type === 'checkbox' ? +all[0].checked : +all[0].value;
    };
    const choose = (k, at) => {
      const all = inputs(k);
      if (all[1]) all[at].checked = true;
      else if (all[0].type === 'checkbox') all[0].checked = !!at;
      else all[0].value = at;
    };
    // The last control runs fastest, as in itertools.product.
    const frame = () => controls.reduce((at, _, k) => at * data().texts[k].length + chosen(k), 0);
    const pair = (k, at) => data().names[k] + '=' + encodeURIComponent(data().keys[k][at]);
    const pairs = () => controls.map((_, k) => pair(k, chosen(k)));
    const link = () => ['#explorer=' + own, ...pairs()].join(';');
    const tables = () => data().tables[frame()].map((table) => {
      const columns = table.map((index) => data().columns[index]);
      return columns[0].map((_, row) => columns.map((column) => String(column[row] ?? '')));
    });

    const fill = () => {
      if (!more.open) return;
      find('.rl-table')?.replaceChildren(...tables().map((rows) => {
        const table = document.createElement('table');
        rows.forEach((cells, r) => {
          const row = table.insertRow();
          for (const text of cells) {
            const cell = document.createElement(r ? 'td' : 'th');
            cell.textContent = text;
            row.append(cell);
          }
        });
        return table;
      }));
    };
    const draw = () => {
      const { parts, runs, says, texts } = data();
      controls.forEach((control, k) => {
        const value = control.querySelector('.rl-value');
        if (!value) return;
        value.textContent = texts[k][chosen(k)];
        inputs(k)[0].setAttribute('aria-valuetext', value.textContent);
      });
      let svg = '';
      const run = runs[frame()];
      for (let i = 0; i < run.length; i += 2) {
        svg += parts.slice(run[i], run[i] + run[i + 1]).join('');
      }
      figure.innerHTML = svg;
      sentence.textContent = says[frame()];
      address.textContent = home + link();
      fill();
    };

    // A screen reader hears the frame at which playing stops, not each on the way.
    let timer, playing;
    const stop = () => {
      clearInterval(timer);
      playing?.setAttribute('aria-pressed', false);
      playing = null;
      sentence.setAttribute('aria-live', 'polite');
    };
    const play = (button) => {
      const k = controls.indexOf(button.closest('.rl-control'));
      const last = data().texts[k].length - 1;
      if (chosen(k) === last) {
        choose(k, 0);
        draw();
      }
      playing = button;
      button.setAttribute('aria-pressed', true);
      sentence.setAttribute('aria-live', 'off');
      timer = setInterval(() => {
        choose(k, chosen(k) + 1);
        if (chosen(k) === last) stop();
        draw();
      }, 800);
    };

    const save = (kind, url) => {
      const anchor = document.createElement('a');
      anchor.href = url;
      anchor.download = link().slice(10).replace(/[^\w.]+/g, '-') + '.' + kind;
      anchor.click();
    };
    // The drawing on its own: colours as on white paper instead of the page's.
    const picture = () => {
      const svg = figure.querySelector('svg');
      const copy = svg.cloneNode(true);
      const copies = [copy, ...copy.querySelectorAll('*')];
      figure.style.color = '#24292f';
      [svg, ...svg.querySelectorAll('*')].forEach((each, i) => {
        for (const key of ['fill', 'stroke']) {
          if (!each.style[key]) continue;
          copies[i].style[key] = getComputedStyle(each)[key].replace(
            /color\(srgb (\S+) (\S+) ([^\s)]+).*/,
            (_, ...rgb) => 'rgb(' + rgb.slice(0, 3).map((part) => Math.round(part * 255)) + ')');
        }
      });
      figure.style.color = '';
      copy.style.fontFamily = 'sans-serif';
      const [, , width, height] = svg.getAttribute('viewBox').split(' ');
      copy.setAttribute('width', width);
      copy.setAttribute('height', height);
      copy.removeAttribute('aria-labelledby');
      copy.setAttribute('aria-label', sentence.textContent);
      copy.insertAdjacentHTML('afterbegin', '<rect width="100%" height="100%" fill="#fff"/>');
      const text = new XMLSerializer().serializeToString(copy);
      return 'data:image/svg+xml,' + encodeURIComponent(text);
    };
    const quoted = (text) => (/[",]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text);

    const actions = {
      play: (button) => {
        const again = button === playing;
        stop();
        if (!again) play(button);
      },
      reset: () => open([]),
      link: () => {
        history.replaceState(null, '', link());
        const say = (text) => (find('.rl-status').textContent = text);
        (navigator.clipboard?.writeText(location.href) ?? Promise.reject()).then(
          () => say('Link copied.'),
          () => say('The address bar has the link.'));
      },
      svg: () => save('svg', picture()),
      png: () => {
        const image = new Image();
        image.onload = () => {
          const canvas = document.createElement('canvas');
          canvas.width = 3 * image.width;
          canvas.height = 3 * image.height;
          canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
          save('png', canvas.toDataURL());
        };
        image.src = picture();
      },
      csv: () => {
        const texts = tables().map((rows) => rows.map((row) => row.map(quoted) + '\n').join(''));
        save('csv', 'data:text/csv,' + encodeURIComponent(texts.join('\n')));
      },
    };

    // Only what a control knows is taken from an address; all else stays as it starts.
    const open = (wanted) => {
      stop();
      controls.forEach((_, k) => {
        const at = data().keys[k].findIndex((_, i) => wanted.includes(pair(k, i)));
        choose(k, at < 0 ? data().starts[k] : at);
      });
      draw();
    };
    const follow = () => {
      const [id, ...wanted] = location.hash.split(';');
      if (id !== '#explorer=' + own) return;
      open(wanted);
      root.scrollIntoView();
    };

    root.addEventListener('input', () => {
      stop();
      draw();
    });
    root.addEventListener('click', (event) => {
      const button = event.target.closest('button');
      if (button) actions[button.dataset.do](button);
    });
    more.addEventListener('toggle', fill);
    for (const each of root.querySelectorAll('[hidden]')) each.hidden = false;
    find('.rl-without').remove();
    address.textContent = home + '#explorer=' + own;
    addEventListener('hashchange', follow);
    // Once now for the frame, and again for the place, which what follows can still move.
    addEventListener('DOMContentLoaded', follow);
    follow();
  }
})();
