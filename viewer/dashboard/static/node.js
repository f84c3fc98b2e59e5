// Keeps the page up to date and sends uploads. Without it the page still works: it reloads itself, the form posts.
'use strict';

const live = (() => {
  const root = document.querySelector('[data-live]');
  if (!root) return { refresh() {} };
  const light = document.getElementById('live');
  const text = document.getElementById('live-text');
  const news = document.getElementById('news');
  const seen = new Map(); // key -> markup as the server sent it
  let etag = null;
  let timer = 0;
  let failures = 0;

  const keyed = (parent) => [...parent.children].filter((child) => child.dataset.key);
  for (const child of keyed(root)) seen.set(child.dataset.key, child.outerHTML);

  function say(state, words) {
    light.classList.toggle('on', state === 'on');
    light.classList.toggle('off', state === 'off');
    if (text.textContent !== words) text.textContent = words;
  }

  // A replaced part keeps its open details and the focus.
  function replace(before, after) {
    const focused = before.contains(document.activeElement) ? document.activeElement : null;
    for (const details of before.querySelectorAll('details[open][data-keep]')) {
      const same = after.querySelector(`details[data-keep="${CSS.escape(details.dataset.keep)}"]`);
      if (same) same.open = true;
    }
    before.replaceWith(after);
    if (focused) {
      const target = focused.getAttribute('href');
      const same = target && [...after.querySelectorAll('a')].find((a) => a.getAttribute('href') === target);
      (same || after.querySelector('a, button, summary'))?.focus();
    }
  }

  function merge(markup) {
    const fresh = new DOMParser().parseFromString(markup, 'text/html').body;
    const present = new Map(keyed(root).map((child) => [child.dataset.key, child]));
    const wanted = keyed(fresh);
    const keys = new Set(wanted.map((child) => child.dataset.key));
    for (const [key, child] of present) {
      if (!keys.has(key)) { child.remove(); seen.delete(key); }
    }
    const heard = [];
    let last = null;
    for (const child of wanted) {
      const key = child.dataset.key;
      const source = child.outerHTML;
      const old = present.get(key);
      let now = old;
      if (!old) {
        now = document.importNode(child, true);
        if (child.dataset.says) heard.push(child.dataset.says);
      } else if (seen.get(key) !== source) {
        now = document.importNode(child, true);
        if (child.dataset.says && child.dataset.says !== old.dataset.says) heard.push(child.dataset.says);
        replace(old, now);
      }
      const place = last ? last.nextElementSibling : root.firstElementChild;
      if (place !== now) root.insertBefore(now, place);
      seen.set(key, source);
      last = now;
    }
    if (heard.length) news.textContent = heard.slice(0, 3).join('. ');
    dress(root);
  }

  async function look() {
    clearTimeout(timer);
    try {
      const headers = etag ? { 'If-None-Match': etag } : {};
      const answer = await fetch(root.dataset.live, { headers, cache: 'no-store' });
      if (answer.status === 200) {
        merge(await answer.text());
        etag = answer.headers.get('ETag');
      } else if (answer.status !== 304) {
        throw new Error(String(answer.status));
      }
      failures = 0;
      say('on', 'Live: this page updates itself');
    } catch {
      failures += 1;
      say('off', 'The node does not answer; trying again');
    }
    const moving = root.querySelector('[data-moving="1"]');
    const wait = failures ? Math.min(1000 * 2 ** failures, 15000) : moving ? 1000 : 2500;
    if (!document.hidden) timer = setTimeout(look, wait);
  }

  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });
  setTimeout(look, 300);
  return { refresh: look };
})();

// Times in words, pictures that do not exist away.
function dress(root) {
  const words = new Intl.RelativeTimeFormat('en', { numeric: 'auto' });
  for (const time of root.querySelectorAll('time[data-ago]')) {
    const at = new Date(time.dateTime);
    const seconds = (at - Date.now()) / 1000;
    const [unit, size] = [['day', 86400], ['hour', 3600], ['minute', 60]].find(([, s]) => -seconds >= s) || ['second', 1];
    const said = unit === 'second' && seconds > -45 ? 'just now' : words.format(Math.round(seconds / size), unit);
    if (!time.title) time.title = time.textContent;
    if (time.textContent !== said) time.textContent = said;
  }
  for (const image of root.querySelectorAll('img')) {
    const hide = () => { image.classList.add('missing'); };
    if (image.complete && image.naturalWidth === 0 && image.loading !== 'lazy') hide();
    image.addEventListener('error', hide, { once: true });
  }
}
dress(document);
setInterval(() => dress(document), 20000);

// Buttons that post and stay on the page.
document.addEventListener('submit', async (event) => {
  const form = event.target;
  if (!form.dataset.act) return;
  event.preventDefault();
  const status = form.querySelector('[role="status"]');
  try {
    const answer = await fetch(form.action, { method: 'POST' });
    status.textContent = answer.ok ? form.dataset.act : (await answer.json()).detail;
  } catch {
    status.textContent = 'The node does not answer; try again.';
  }
  live.refresh();
});

// Upload: in batches, so that a folder of any size has progress and nothing waits for the last file.
(() => {
  const form = document.getElementById('upload-form');
  if (!form) return;
  const input = form.querySelector('input[type="file"]');
  const drop = form.querySelector('.drop');
  const button = form.querySelector('button');
  const progress = form.querySelector('progress');
  const status = document.getElementById('upload-status');
  const BATCH_BYTES = 32e6;
  const BATCH_FILES = 50;

  function batches(files) {
    const all = [];
    let batch = [];
    let bytes = 0;
    for (const file of files) {
      if (batch.length && (bytes + file.size > BATCH_BYTES || batch.length >= BATCH_FILES)) {
        all.push(batch); batch = []; bytes = 0;
      }
      batch.push(file); bytes += file.size;
    }
    if (batch.length) all.push(batch);
    return all;
  }

  async function upload(files) {
    if (!files.length) { status.textContent = 'Choose files first.'; return; }
    button.disabled = true;
    progress.hidden = false;
    progress.value = 0;
    let taken = 0;
    let done = 0;
    const refused = [];
    const studies = new Set();
    try {
      for (const batch of batches(files)) {
        status.textContent = `Uploading ${done + 1} to ${done + batch.length} of ${files.length} ...`;
        const body = new FormData();
        for (const file of batch) body.append('files', file);
        const answer = await fetch(form.action, { method: 'POST', body, headers: { Accept: 'application/json' } });
        const said = await answer.json();
        for (const file of said.files || []) {
          if (file.outcome === 'failed') refused.push(`${batch[file.index].name}: ${file.detail}`);
          else { taken += 1; studies.add(file.study_id); }
        }
        done += batch.length;
        progress.value = done / files.length;
        if (!answer.ok && !(said.files || []).length) throw new Error(said.detail);
        if (answer.status === 503) throw new Error(said.detail);
      }
      status.textContent = `${taken} of ${files.length} files taken, ${studies.size} ${studies.size === 1 ? 'study' : 'studies'}.`;
      form.reset();
    } catch (error) {
      status.textContent = `Stopped after ${taken} of ${files.length} files: ${error.message || 'the node does not answer'}`;
    }
    if (refused.length) {
      const more = refused.length > 3 ? ` and ${refused.length - 3} more` : '';
      status.textContent += ` Refused: ${refused.slice(0, 3).join('; ')}${more}.`;
    }
    button.disabled = false;
    progress.hidden = true;
    live.refresh();
  }

  // Folders that were dropped are read whole.
  async function dropped(items) {
    const files = [];
    const walk = async (entry) => {
      if (entry.isFile) files.push(await new Promise((ok, no) => entry.file(ok, no)));
      else {
        const reader = entry.createReader();
        for (;;) {
          const some = await new Promise((ok, no) => reader.readEntries(ok, no));
          if (!some.length) break;
          for (const each of some) await walk(each);
        }
      }
    };
    for (const entry of [...items].map((item) => item.webkitGetAsEntry()).filter(Boolean)) await walk(entry);
    return files;
  }

  form.addEventListener('submit', (event) => { event.preventDefault(); upload([...input.files]); });
  drop.addEventListener('dragover', (event) => { event.preventDefault(); drop.classList.add('over'); });
  drop.addEventListener('dragleave', () => drop.classList.remove('over'));
  drop.addEventListener('drop', async (event) => {
    event.preventDefault();
    drop.classList.remove('over');
    upload(await dropped(event.dataTransfer.items));
  });
})();
