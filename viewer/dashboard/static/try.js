// Asks a model about one image, and shows its answer and where it comes from.
'use strict';

(() => {
  const form = document.getElementById('try-form');
  if (!form) return;
  const at = (id) => document.getElementById(id);
  const file = at('file');
  const drop = at('drop');
  const status = at('try-status');
  const button = form.querySelector('button');

  const send = (path) => fetch(`${path}?model=${encodeURIComponent(form.elements.model.value)}`, {
    method: 'POST',
    headers: { 'Content-Type': file.files[0].type || 'application/octet-stream' },
    body: file.files[0],
  });

  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };

  const percent = (share) => `${(100 * share).toFixed(1)} %`;

  const showClasses = (classes) => {
    at('classes-table').hidden = !classes.length;
    const sorted = [...classes].sort((a, b) => b.probability - a.probability);
    at('classes').replaceChildren(...sorted.map((one) => {
      const row = element('tr');
      const value = element('td');
      value.append(
        element('meter', '', { min: 0, max: 1, value: one.probability, 'aria-hidden': 'true' }),
        element('span', percent(one.probability)),
      );
      row.append(element('th', one.label, { scope: 'row' }), value);
      return row;
    }));
  };

  const show = (answer) => {
    const done = answer.status === 'done';
    const refused = answer.reasons.filter((one) => !one.passed);
    const sure = done && answer.confidence !== null ? `Confidence ${percent(answer.confidence)}` : '';
    // The list of what was checked says it, where there is one.
    const why = refused.length ? '' : answer.reason || '';
    at('answer-title').textContent = answer.verdict;
    at('answer').dataset.outcome = answer.status;
    at('answer-reason').textContent = sure || why;
    at('answer-reason').hidden = !(sure || why);
    showClasses(answer.classes);
    at('refusals-block').hidden = !refused.length;
    at('refusals').replaceChildren(...refused.map((one) => element('li', one.text)));
    at('notices').replaceChildren(...answer.notices.map((text) => element('li', text)));
    at('notice').textContent = answer.notice;
    at('asked').textContent = `${answer.model.name} ${answer.model.version}, ${answer.image.columns} x ${answer.image.rows} pixels, ${answer.seconds.total.toFixed(2)} s`;
    at('heat').hidden = true;
    at('answer').hidden = false;
  };

  const asData = (blob) => new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = reject;
    reader.readAsDataURL(blob);
  });

  const showHeat = async (answer) => {
    const picture = await send('/heatmap');
    if (!picture.ok) return;
    const { method, target } = answer.explanation;
    const image = at('heat-image');
    image.src = await asData(await picture.blob());
    await image.decode();
    image.alt = `The image with what speaks for ${target} in colour, by ${method}`;
    at('heat-caption').textContent = `In colour: what speaks for ${target}, by ${method}. It shows where the model looked, not where a finding is.`;
    at('heat').hidden = false;
  };

  const take = (files) => {
    if (!files.length) return;
    file.files = files;
    file.dispatchEvent(new Event('change'));
  };

  file.addEventListener('change', () => {
    status.textContent = file.files.length ? `${file.files[0].name} is chosen.` : '';
  });
  for (const name of ['dragover', 'dragenter']) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add('over'); });
  }
  for (const name of ['dragleave', 'drop']) {
    drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.remove('over'); });
  }
  drop.addEventListener('drop', (event) => take(event.dataTransfer.files));

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.textContent = 'The model is looking at it ...';
    try {
      const reply = await send('/predict');
      const answer = await reply.json();
      if (reply.ok) {
        show(answer);
        if (answer.explanation) await showHeat(answer);
        status.textContent = `${answer.verdict}.`;
        at('answer').focus();
      } else {
        at('answer').hidden = true;
        status.textContent = answer.detail;
      }
    } catch {
      status.textContent = 'The node does not answer; try again.';
    }
    button.disabled = false;
  });
})();
