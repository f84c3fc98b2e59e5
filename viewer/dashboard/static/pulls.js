// Asks for studies. What names patients goes out in a body, and is taken off the page once it was taken in.
'use strict';

(() => {
  const form = document.getElementById('pull-form');
  if (!form) return;
  const status = document.getElementById('pull-status');
  const button = form.querySelector('button');

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const wanted = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, value.trim()]).filter(([, value]) => value));
    button.disabled = true;
    status.textContent = 'Asking ...';
    try {
      const answer = await fetch(form.dataset.ask, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(wanted),
      });
      if (answer.ok) {
        const { source } = wanted;
        form.reset();
        form.elements.source.value = source;
        status.textContent = 'It is being fetched.';
        live.refresh();
      } else {
        status.textContent = (await answer.json()).detail;
      }
    } catch {
      status.textContent = 'The node does not answer; try again.';
    }
    button.disabled = false;
  });
})();
