// Posts what was decided about dead letters. The list is replaced while the page stands, so the document listens.
'use strict';

document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.dataset.deliveries) return;
  event.preventDefault();
  const status = form.querySelector('[role="status"]');
  const button = form.querySelector('button');
  const which = {};
  if (form.dataset.study) which.study_id = form.dataset.study;
  if (form.dataset.destination) which.destination = form.dataset.destination;
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.deliveries, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(which),
    });
    status.textContent = answer.ok ? form.dataset.done : (await answer.json()).detail;
    if (answer.ok) live.refresh();
  } catch {
    status.textContent = 'The node does not answer; try again.';
  }
  button.disabled = false;
});
