'use strict';
// The events of the server, for every page that wants them. One tab of a browser holds the stream
// and tells the others, for a browser has six connections to a server, and each stream takes one.
//
// recoverStream(at, {event, state, lost}) calls `event` with each event behind the cursor `at`, in
// order and once; `state` with whether events come; `lost` when the page has to be loaded anew.
const recoverStream = (at, {event, state, lost}) => {
  const NAME = 'recover-events';
  const KEPT_MAX = 1000;
  const SILENCE_MS = 40000;
  const WAIT_MS = [500, 10000];
  const number = (id) => Number(id.slice(id.indexOf('.') + 1));
  const feed = (id) => id.slice(0, id.indexOf('.'));
  const channel = 'BroadcastChannel' in window ? new BroadcastChannel(NAME) : null;
  // Events for tabs that ask for what they missed, and the number before the first of them.
  const kept = [];
  let last = at, from = number(at), isLeading = false, heard = 0, wait = WAIT_MS[0];

  const alive = (isAlive) => {
    if (isAlive) heard = Date.now();
    state(isAlive, heard);
  };

  const take = (one) => {
    if (one.event === 'reset' || (one.id && feed(one.id) !== feed(at))) { lost(); return; }
    alive(true);
    if (!one.id || number(one.id) <= number(last)) return;
    last = one.id;
    kept.push(one);
    if (kept.length > KEPT_MAX) from = number(kept.shift().id);
    event(one);
  };

  // Tabs say {ask: id}; the leader answers {to: id, events}, tells {event} as it comes, and says
  // {lead} when it begins.
  const answer = (ask) => {
    const isAll = number(ask) >= from && feed(ask) === feed(at);
    const events = isAll ? kept.filter((one) => number(one.id) > number(ask)) : null;
    channel.postMessage({to: ask, events});
  };
  if (channel) channel.onmessage = ({data}) => {
    if (data.ask) { if (isLeading) answer(data.ask); return; }
    if (data.lead) { if (!isLeading) channel.postMessage({ask: last}); return; }
    if (data.to) {
      if (data.to !== last) return;
      if (data.events) { alive(true); data.events.forEach(take); } else lost();
      return;
    }
    if (data.event) take(data.event);
    else alive(data.alive);
  };

  const open = () => new Promise((ended) => {
    heard = Date.now();
    const source = new EventSource('/api/v1/events?after=' + encodeURIComponent(last));
    for (const kind of ['hello', 'ping', 'reset', 'entry', 'journal', 'removed']) {
      source.addEventListener(kind, (message) => {
        wait = WAIT_MS[0];
        const one = JSON.parse(message.data);
        channel?.postMessage({event: one});
        take(one);
      });
    }
    const stop = () => { clearInterval(watch); source.close(); ended(); };
    source.onerror = stop;
    // A connection that is half open is reported by nobody.
    const watch = setInterval(() => { if (Date.now() - heard > SILENCE_MS) stop(); }, 5000);
  });

  const lead = async () => {
    isLeading = true;
    channel?.postMessage({lead: true});
    for (;;) {
      await open();
      alive(false);
      channel?.postMessage({alive: false});
      await new Promise((later) => setTimeout(later, wait));
      wait = Math.min(wait * 2, WAIT_MS[1]);
    }
  };

  state(false, 0);
  // Locks need a secure context; elsewhere each tab has a stream of its own.
  if (!navigator.locks || !channel) { lead(); return; }
  channel.postMessage({ask: last});
  navigator.locks.request(NAME, lead);
  // The leader may have slept with its tab.
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden && !isLeading) channel.postMessage({ask: last});
  });
};
