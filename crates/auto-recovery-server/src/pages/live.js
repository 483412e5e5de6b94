'use strict';
// Shows events as they come. One tab holds the stream and tells the others, for a browser has six
// connections to a server, and a stream would take one for each tab.
(() => {
  const ROWS_MAX = 1000;
  const SILENCE_MS = 40000;
  const rows = document.getElementById('events');
  const state = document.getElementById('state');
  const pause = document.getElementById('pause');
  const template = document.getElementById('row');
  const { at, session, project } = rows.dataset;
  const query = new URLSearchParams();
  if (session) query.set('session', decodeURIComponent(session));
  if (project) query.set('project', decodeURIComponent(project));
  const name = 'recover-live?' + query;
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel(name) : null;
  let last = at, heard = Date.now(), isPaused = false, source = null, wait = 500;
  const waiting = [];

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  const number = (id) => Number(id.slice(id.indexOf('.') + 1));

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
    time.textContent = when.slice(0, 19).replace('T', ' ') + (when.endsWith('Z') ? 'Z' : '');
    time.dateTime = when;
    const link = cells[1].firstElementChild;
    const isOurs = /^(session|restore)_[0-9a-f]{32}$/.test(event.session_id);
    link.textContent = isOurs ? event.session_id.slice(-8) : event.session_id.slice(0, 60);
    link.href = '/sessions/' + encodeURIComponent(event.session_id);
    cells[2].textContent = event.project || '';
    cells[3].textContent = what.slice(0, 200);
    row.id = 'e' + number(event.id);
    rows.prepend(row);
    document.getElementById('empty')?.remove();
    while (rows.childElementCount > ROWS_MAX) rows.lastElementChild.remove();
  };

  const take = (event) => {
    heard = Date.now();
    if (event.event === 'reset') { location.reload(); return; }
    if (!event.id || number(event.id) <= number(last)) return;
    last = event.id;
    if (isPaused) { waiting.push(event); if (waiting.length > ROWS_MAX) waiting.shift(); } else show(event);
  };

  // Events that the leader reads are told to all tabs.
  const pass = (message) => {
    const event = JSON.parse(message.data);
    channel?.postMessage(event);
    take(event);
  };

  const open = () => new Promise((ended) => {
    const from = new URLSearchParams(query);
    from.set('after', last);
    source = new EventSource('/api/v1/events?' + from);
    for (const kind of ['hello', 'ping', 'reset', 'entry', 'journal', 'removed']) {
      source.addEventListener(kind, (message) => { wait = 500; say('Live.'); pass(message); });
    }
    const stop = () => { clearInterval(watch); source.close(); ended(); };
    source.onerror = stop;
    // A connection that is half open is reported by nobody.
    const watch = setInterval(() => { if (Date.now() - heard > SILENCE_MS) stop(); }, 5000);
  });

  const lead = async () => {
    for (;;) {
      heard = Date.now();
      await open();
      say('The connection is lost: trying again.');
      await new Promise((later) => setTimeout(later, wait));
      wait = Math.min(wait * 2, 10000);
    }
  };

  if (channel) channel.onmessage = (message) => { say('Live.'); take(message.data); };
  pause.hidden = false;
  pause.onclick = () => {
    isPaused = !isPaused;
    pause.textContent = isPaused ? 'Go on' : 'Pause';
    if (!isPaused) waiting.splice(0).forEach(show);
  };
  say('Live.');
  // Locks need a secure context; elsewhere each tab has a stream of its own.
  if (navigator.locks && channel) navigator.locks.request(name, lead); else lead();
})();
