// One instance in quarantine: shows the original when asked to, and posts the decision. Nothing is stored.
'use strict';

(() => {
  const form = document.getElementById('look-form');
  if (!form) return;
  const place = document.getElementById('original');
  const status = document.getElementById('look-status');
  const next = document.getElementById('next-frame');
  const frame = form.elements.frame;

  const asDataUrl = (blob) => new Promise((ok, no) => {
    const reader = new FileReader();
    reader.onload = () => ok(reader.result);
    reader.onerror = () => no(reader.error);
    reader.readAsDataURL(blob);
  });

  async function show() {
    const query = new URLSearchParams({ frame: frame.value, all_values: form.elements.all_values.checked });
    status.textContent = 'Loading ...';
    try {
      const answer = await fetch(`${form.dataset.preview}?${query}`, { cache: 'no-store' });
      if (!answer.ok) { status.textContent = (await answer.json()).detail; place.hidden = true; return; }
      const count = Number(answer.headers.get('X-Frame-Count')) || 1;
      const picture = new Image();
      picture.src = await asDataUrl(await answer.blob());
      picture.alt = `Frame ${frame.value} of ${count} of the original`;
      await picture.decode();
      place.replaceChildren(picture);
      place.hidden = false;
      frame.max = count;
      next.hidden = count < 2;
      next.disabled = Number(frame.value) >= count;
      document.getElementById('frames').textContent = `of ${count}`;
      status.textContent = count > 1 ? `Frame ${frame.value} of ${count}` : 'This is its only frame.';
    } catch {
      status.textContent = 'The node does not answer; try again.';
    }
  }

  form.addEventListener('submit', (event) => { event.preventDefault(); show(); });
  next.addEventListener('click', () => { frame.value = Number(frame.value) + 1; show(); });
})();

for (const form of document.querySelectorAll('form[data-decide]')) {
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const status = form.querySelector('[role="status"]');
    const button = form.querySelector('button');
    button.disabled = true;
    try {
      const answer = await fetch(form.dataset.decide, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ reason: form.elements.reason.value }),
      });
      if (answer.ok) { window.location.reload(); return; }
      status.textContent = (await answer.json()).detail;
    } catch {
      status.textContent = 'The node does not answer; try again.';
    }
    button.disabled = false;
  });
}
