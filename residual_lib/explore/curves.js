// Curves drawn by hand: a handle for each point, and the drawing beside what was measured.
// Stands before predictions.js, which asks it wherever a curve was asked for.
window.residualCurve ||= (() => {
  const make = (name, attributes, parent) => {
    const element = document.createElementNS('http://www.w3.org/2000/svg', name);
    for (const key in attributes) element.setAttribute(key, attributes[key]);
    return parent.appendChild(element);
  };
  // A value as its share of the axis' height, and back.
  const share = ({ low, high, log }, value) =>
    log ? Math.log(value / low) / Math.log(high / low) : (value - low) / (high - low);
  const valueAt = ({ low, high, log }, part) => {
    const value = log ? low * (high / low) ** part : low + part * (high - low);
    return Math.min(high, Math.max(low, Number(value.toPrecision(3))));
  };
  // Ten steps a power of ten, or a hundred in all.
  const stepsOf = ({ low, high, log }) => (log ? Math.round(10 * Math.log10(high / low)) : 100);
  const height = (asked, value) =>
    asked.bottom + share(asked, value) * (asked.top - asked.bottom);
  const raised = (exponent) => [...exponent].map((c) => '⁻⁰¹²³⁴⁵⁶⁷⁸⁹'['-0123456789'.indexOf(c)]).join('');
  const short = (value) => {
    const size = Math.abs(value);
    if (value === 0 || (size >= 1e-3 && size < 1e5)) {
      const rounded = size < 1000 ? Number(value.toPrecision(3)) : Math.round(value);
      return rounded.toLocaleString('en', { maximumFractionDigits: 6 });
    }
    const [digits, exponent] = value.toExponential(1).split('e');
    return digits + '·10' + raised(exponent.replace('+', ''));
  };
  const text = (asked, value) => short(value) + asked.unit;
  const draw = (svg, asked, values) => {
    svg.querySelector('.rl-drawn')?.remove();
    const group = make('g', { class: 'rl-drawn', 'aria-hidden': true }, svg);
    const points = values.map((value, k) => [asked.at[k], height(asked, value)]);
    make('polyline', { points: points.join(' ') }, group);
    for (const [cx, cy] of points) make('circle', { cx, cy, r: 5 }, group);
    return group;
  };

  const read = (asked, stored) => {
    if (typeof stored !== 'string' || stored.length > 2000) return undefined;
    let values;
    try {
      values = JSON.parse(stored);
    } catch {
      return undefined;
    }
    const fits = Array.isArray(values) && values.length === asked.names.length
      && values.every((v) => Number.isFinite(v) && v >= asked.low && v <= asked.high);
    return fits ? values : undefined;
  };

  // The form's field: `get` gives what is to be stored, or undefined while nothing was drawn.
  const field = (form, asked) => {
    const svg = form.querySelector('svg');
    const says = form.querySelector('.rl-at');
    const steps = stepsOf(asked);
    const count = asked.names.length;
    let at = Array(count).fill(Math.round(steps / 2));
    let drawn = false;
    const values = () => at.map((step) => valueAt(asked, step / steps));
    for (const child of svg.children) child.setAttribute('aria-hidden', true);
    svg.setAttribute('role', 'group');
    svg.setAttribute('aria-label', 'Your curve');
    const lines = make('g', {}, svg);
    const handles = asked.names.map((name) => {
      const handle = make('g', {
        class: 'rl-handle', role: 'slider', tabindex: 0, 'aria-label': name,
        'aria-orientation': 'vertical', 'aria-valuemin': asked.low, 'aria-valuemax': asked.high,
      }, svg);
      make('circle', { r: 24 }, handle);
      make('path', { d: 'M0-10V10M-4-6 0-10 4-6M-4 6 0 10 4 6' }, handle);
      return handle;
    });
    const show = () => {
      draw(lines, asked, values());
      handles.forEach((handle, k) => {
        const value = values()[k];
        handle.setAttribute('transform', 'translate(' + asked.at[k] + ' ' + height(asked, value) + ')');
        handle.setAttribute('aria-valuenow', value);
        handle.setAttribute('aria-valuetext', asked.names[k] + ': ' + text(asked, value));
      });
    };
    const move = (k, step) => {
      at[k] = Math.min(steps, Math.max(0, Math.round(step)));
      drawn = true;
      show();
      says.textContent = handles[k].getAttribute('aria-valuetext');
    };
    const place = (event) => {
      const matrix = svg.getScreenCTM().inverse();
      return new DOMPoint(event.clientX, event.clientY).matrixTransform(matrix);
    };
    const toPointer = (k, event) =>
      move(k, steps * (place(event).y - asked.bottom) / (asked.top - asked.bottom));

    handles.forEach((handle, k) => {
      handle.addEventListener('pointerdown', (event) => {
        if (event.button) return;
        handle.setPointerCapture(event.pointerId);
        handle.focus();
        event.preventDefault();
      });
      // Keeps a finger from scrolling the page; within SVG, touch-action doesn't everywhere.
      handle.addEventListener('touchstart', (event) => event.preventDefault(), { passive: false });
      handle.addEventListener('pointermove', (event) => {
        if (handle.hasPointerCapture(event.pointerId)) toPointer(k, event);
      });
      handle.addEventListener('keydown', (event) => {
        const large = asked.log ? 10 : steps / 10;
        const to = {
          ArrowUp: at[k] + 1, ArrowRight: at[k] + 1, ArrowDown: at[k] - 1, ArrowLeft: at[k] - 1,
          PageUp: at[k] + large, PageDown: at[k] - large, Home: 0, End: steps,
        }[event.key];
        if (to === undefined || event.ctrlKey || event.altKey || event.metaKey) return;
        event.preventDefault();
        event.stopPropagation();
        move(k, to);
      });
    });
    // Elsewhere a tap brings the column's point there, so that a swipe can scroll the page.
    let held = false;
    svg.addEventListener('pointerdown', (event) => {
      held = Boolean(event.target.closest('.rl-handle'));
    });
    svg.addEventListener('click', (event) => {
      if (held) return;
      const x = place(event).x;
      const away = asked.at.map((each) => Math.abs(each - x));
      const k = away.indexOf(Math.min(...away));
      toPointer(k, event);
      handles[k].focus();
    });
    show();
    return {
      get: () => (drawn ? JSON.stringify(values()) : undefined),
      set: (given) => {
        at = given.map((value) => Math.round(steps * share(asked, value)));
        drawn = true;
        show();
      },
    };
  };

  // Draws the reader's curve beside the measured one; without values, takes it away.
  const compare = (root, asked, values) => {
    const svg = root.querySelector('.rl-curve svg');
    svg.querySelector('.rl-drawn')?.remove();
    const cells = root.querySelectorAll('.rl-own');
    cells.forEach((cell, k) => { cell.textContent = values ? text(asked, values[k]) : '–'; });
    if (!values) return '';
    draw(svg, asked, values);
    const apart = values.map((value, k) => Math.abs(asked.log
      ? Math.log(value / asked.measured[k]) : value - asked.measured[k]));
    const mean = apart.reduce((sum, each) => sum + each) / apart.length;
    const most = apart.indexOf(Math.max(...apart));
    const distance = asked.log ? 'a factor of ' + short(Number(Math.exp(mean).toPrecision(2)))
      : short(Number(mean.toPrecision(2))) + asked.apart;
    return 'On average your curve is ' + distance + ' from the measured one, and farthest at '
      + asked.names[most] + ': ' + text(asked, values[most]) + ' against '
      + text(asked, asked.measured[most]) + '.';
  };

  const said = (asked) => (asked.measured ? 'the dashed line' : 'this curve');
  const listed = (asked, values) =>
    values.map((value, k) => asked.names[k] + ': ' + text(asked, value)).join(', ');
  return { read, field, compare, said, listed };
})();
