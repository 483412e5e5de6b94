'use strict';
// Shows events as they come, below those that the page was made with.
(() => {
  const ROWS_MAX = 1000;
  const rows = document.getElementById('events');
  const status = document.getElementById('state');
  const age = document.getElementById('age');
  const pause = document.getElementById('pause');
  const template = document.getElementById('row');
  const of = (text) => text === undefined ? null : decodeURIComponent(text);
  const session = of(rows.dataset.session), project = of(rows.dataset.project);
  const waiting = [];
  let isPaused = false, heard = 0;

  const told = (event) => {
    if (event.event === 'removed') return ['', 'its trail was removed'];
    if (event.event === 'journal') return [event.record.at, String(event.record.event).replaceAll('_', ' ')];
    const entry = event.entry;
    if (!entry) return ['', 'an attempt, cleared since'];
    const result = entry.success ? '✔ cured' : '✘ failed';
    return [entry.timestamp, `attempt ${entry.attempt_number} by ${entry.strategy}: ${result}: ${entry.error_type}`];
  };

  const show = (event) => {
    const row = template.content.firstElementChild.cloneNode(true);
    const [when, what] = told(event);
    const cells = row.children;
    const time = cells[0].firstElementChild;
    time.textContent = recoverTime(when);
    time.dateTime = when;
    const link = cells[1].firstElementChild;
    const isOurs = /^(session|restore)_[0-9a-f]{32}$/.test(event.session_id);
    link.textContent = isOurs ? event.session_id.slice(-8) : event.session_id.slice(0, 60);
    link.href = '/sessions/' + encodeURIComponent(event.session_id);
    cells[2].textContent = event.project || '';
    cells[3].textContent = what.slice(0, 200);
    row.id = 'e' + Number(event.id.slice(event.id.indexOf('.') + 1));
    rows.prepend(row);
    document.getElementById('empty')?.remove();
    while (rows.childElementCount > ROWS_MAX) rows.lastElementChild.remove();
  };

  const isWanted = (event) =>
    (session === null || event.session_id === session) && (project === null || event.project === project);

  recoverStream(rows.dataset.at, {
    event: (event) => {
      if (!isWanted(event)) return;
      if (!isPaused) { show(event); return; }
      waiting.push(event);
      if (waiting.length > ROWS_MAX) waiting.shift();
    },
    state: (isAlive, at) => {
      heard = at;
      const words = isAlive ? 'Live.' : at ? 'The connection is lost: trying again.' : 'Connecting.';
      if (status.textContent !== words) status.textContent = words;
    },
    lost: () => location.reload(),
  });
  // Beside what is read aloud: a number that changes each second.
  setInterval(() => {
    age.textContent = heard ? `Last heard ${Math.round((Date.now() - heard) / 1000)} s ago.` : '';
  }, 1000);
  pause.hidden = false;
  pause.onclick = () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    if (!isPaused) waiting.splice(0).forEach(show);
  };
})();
