'use strict';

// Dark or light: the system's choice until somebody presses the button.
(() => {
  const button = document.getElementById('theme');
  const root = document.documentElement;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : system.matches);
  const show = () => { button.textContent = dark() ? 'Light' : 'Dark'; };
  button.addEventListener('click', () => { root.dataset.theme = dark() ? 'light' : 'dark'; show(); });
  system.addEventListener('change', show);
  button.hidden = false;
  show();
})();

// The filter of "All tests": every word must occur, and the outcome be ticked.
(() => {
  const form = document.getElementById('filter');
  if (!form) return;
  const suites = [...document.querySelectorAll('details.suite')].map((element) => ({
    element,
    open: element.open,
    name: element.querySelector('summary').textContent.toLowerCase(),
    rows: [...element.querySelectorAll('tbody tr')].map((row) => ({ row, text: row.textContent.toLowerCase() })),
  }));
  const apply = () => {
    const words = form.querySelector('#words').value.toLowerCase().split(/\s+/).filter(Boolean);
    const boxes = [...form.querySelectorAll('[name=outcome]')];
    const ticked = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const narrowed = words.length > 0 || ticked.size < boxes.length;
    let shown = 0;
    let all = 0;
    for (const { element, open, name, rows } of suites) {
      let here = 0;
      for (const { row, text } of rows) {
        const hit = ticked.has(row.className) && words.every((word) => text.includes(word) || name.includes(word));
        row.hidden = !hit;
        here += hit;
      }
      element.hidden = here === 0;
      element.open = narrowed ? here > 0 && here <= 500 : open;
      shown += here;
      all += rows.length;
    }
    form.querySelector('#found').textContent = narrowed ? `${shown} of ${all} tests` : '';
  };
  form.addEventListener('input', apply);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
})();

// What a link leads to must be seen, though it be folded.
(() => {
  const unfold = () => {
    for (let folded = document.getElementById(location.hash.slice(1))?.closest('details'); folded; folded = folded.parentElement.closest('details')) folded.open = true;
    document.getElementById(location.hash.slice(1))?.scrollIntoView();
  };
  addEventListener('hashchange', unfold);
  if (location.hash) unfold();
})();

// The evidence of two nodes side by side.
(() => {
  // Counters always differ between two nodes; a line that differs in nothing else is another matter.
  const uncounted = (line) => line.replace(/\b(packets|bytes) \d+/g, '$1 *');
  const lines = (text) => (text === undefined ? ['(this node has no such file)'] : text.replace(/\n$/, '').split('\n'));

  // Longest common subsequence of lines: rows of [left, right], null where one side has nothing.
  const align = (left, right) => {
    const a = left.map(uncounted);
    const b = right.map(uncounted);
    if (a.length * b.length > 4e6) return left.map((line, i) => [line, right[i] ?? null]).concat(right.slice(left.length).map((line) => [null, line]));
    const width = b.length + 1;
    const length = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--)
      for (let j = b.length - 1; j >= 0; j--)
        length[i * width + j] = a[i] === b[j] ? length[(i + 1) * width + j + 1] + 1 : Math.max(length[(i + 1) * width + j], length[i * width + j + 1]);
    const rows = [];
    let i = 0;
    let j = 0;
    while (i < a.length || j < b.length) {
      if (i < a.length && j < b.length && a[i] === b[j]) rows.push([left[i++], right[j++]]);
      else if (j >= b.length || (i < a.length && length[(i + 1) * width + j] >= length[i * width + j + 1])) rows.push([left[i++], null]);
      else rows.push([null, right[j++]]);
    }
    return rows;
  };

  const element = (name, properties = {}, ...children) => {
    const made = Object.assign(document.createElement(name), properties);
    made.append(...children);
    return made;
  };

  for (const viewer of document.querySelectorAll('.evidence')) {
    const nodes = JSON.parse(document.getElementById(`${viewer.dataset.of}-evidence`).textContent);
    const names = Object.keys(nodes);
    const files = [...new Set(names.flatMap((name) => Object.keys(nodes[name])))].sort();
    const { left, right, file } = viewer.dataset;
    const chosen = { left, right, file: file || files[0] };

    const body = element('tbody');
    const view = element('div', { className: 'view', tabIndex: 0 }, element('table', {}, body));
    view.setAttribute('role', 'group');
    const show = () => {
      view.setAttribute('aria-label', `${chosen.file} of ${chosen.left} and ${chosen.right}`);
      body.replaceChildren(...align(lines(nodes[chosen.left][chosen.file]), lines(nodes[chosen.right][chosen.file])).map(([left, right]) =>
        element('tr', { className: left === right ? '' : left === null || right === null ? 'other' : 'count' }, element('td', { textContent: left ?? '' }), element('td', { textContent: right ?? '' }))));
      for (const tab of tabs.children) tab.setAttribute('aria-pressed', tab.textContent === chosen.file);
    };
    const pick = (side) => {
      const select = element('select', {}, ...names.map((name) => element('option', { textContent: name, selected: name === chosen[side] })));
      select.addEventListener('change', () => { chosen[side] = select.value; show(); });
      return element('label', {}, `${side === 'left' ? 'Left' : 'Right'} node `, select);
    };
    const tabs = element('div', { className: 'tabs' }, ...files.map((file) => {
      const tab = element('button', { type: 'button', textContent: file });
      tab.addEventListener('click', () => { chosen.file = file; show(); });
      return tab;
    }));
    viewer.append(element('div', { className: 'pick' }, pick('left'), pick('right')), tabs, view,
      element('p', { className: 'since', textContent: 'Marked: lines that the other node lacks, and those that differ in their counters alone.' }));
    show();
  }
})();
