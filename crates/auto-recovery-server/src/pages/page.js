'use strict';
// What every page has once there is a script.

// The moment `text`, RFC 3339, as pages show it in the reader's zone.
const recoverTime = (text) => {
  const zone = document.body.dataset.zone, date = new Date(text);
  if (Number.isNaN(date.getTime())) return text.slice(0, 60);
  if (zone === 'UTC' || zone === 'local') return date.toISOString().slice(0, 19).replace('T', ' ') + 'Z';
  const parts = new Intl.DateTimeFormat('sv-SE', {
    timeZone: zone, dateStyle: 'short', timeStyle: 'medium',
  }).format(date);
  const offset = new Intl.DateTimeFormat('en', {timeZone: zone, timeZoneName: 'longOffset'})
    .formatToParts(date).find((part) => part.type === 'timeZoneName').value.slice(3);
  return `${parts} ${offset || '+00:00'}`;
};

(() => {
  // The server does not know where the reader is; the browser does.
  if (document.body.dataset.zone === 'local') {
    const here = new URL(location.href);
    here.searchParams.set('tz', Intl.DateTimeFormat().resolvedOptions().timeZone || 'UTC');
    location.replace(here);
    return;
  }
  for (const button of document.querySelectorAll('button[data-copy]')) {
    if (!navigator.clipboard) continue;
    button.hidden = false;
    button.onclick = async () => {
      await navigator.clipboard.writeText(button.dataset.copy);
      button.textContent = 'Copied';
    };
  }
  if (document.body.dataset.keys === 'off') return;

  const go = {o: '/', s: '/sessions', f: '/failures', l: '/live', a: '/alerts'};
  let isGoing = false;
  const rows = () => [...document.querySelectorAll('#content tbody th a')];
  const step = (by) => {
    const all = rows(), at = all.indexOf(document.activeElement);
    const to = all[at < 0 ? (by > 0 ? 0 : all.length - 1) : at + by];
    if (to) { to.focus(); to.scrollIntoView({block: 'nearest'}); }
  };
  // The raw output is one key away, and who wants it finds it first on every session from then on.
  const raw = document.querySelector('#content pre:not(.diff)');
  const isRaw = () => localStorage.getItem('recover-raw') === 'on';
  const showRaw = () => {
    if (!raw) return;
    raw.tabIndex = -1;
    raw.focus();
    raw.scrollIntoView({block: 'start'});
  };
  if (location.pathname.startsWith('/sessions/') && isRaw()) showRaw();
  const link = (rel) => document.querySelector(`a[rel=${rel}]`)?.click();
  const keys = {
    '/': () => document.querySelector('#content .filters input')?.focus(),
    j: () => step(1),
    k: () => step(-1),
    '[': () => link('prev'),
    ']': () => link('next'),
    r: () => {
      localStorage.setItem('recover-raw', isRaw() ? 'off' : 'on');
      if (isRaw()) showRaw();
      else { raw?.blur(); scrollTo(0, 0); }
    },
    '?': () => document.getElementById('keys')?.showModal(),
    g: () => { isGoing = true; setTimeout(() => { isGoing = false; }, 1500); },
  };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest('input, select, textarea, dialog')) return;
    if (isGoing && go[event.key]) {
      isGoing = false;
      const bar = [...document.querySelectorAll('body > nav a')];
      bar.find((one) => new URL(one.href).pathname === go[event.key])?.click();
    } else if (Object.hasOwn(keys, event.key)) {
      keys[event.key]();
    } else return;
    event.preventDefault();
  });
})();
