'use strict';
// Says how many sessions came since the page was made. Rows never jump: who wants them loads anew.
(() => {
  const pill = document.getElementById('new');
  if (!pill) return;
  const known = new Set([...document.querySelectorAll('#content tbody tr')].map((row) => row.id));
  const fresh = new Set();
  recoverStream(pill.dataset.at, {
    event: (event) => {
      if (event.event === 'removed') return;
      const id = 's-' + encodeURIComponent(event.session_id).replace(/[!'()*]/g,
        (sign) => '%' + sign.charCodeAt(0).toString(16).toUpperCase());
      if (known.has(id)) return;
      fresh.add(id);
      pill.hidden = false;
      pill.textContent = `${fresh.size} new: show`;
    },
    state: () => {},
    lost: () => {},
  });
})();
