'use strict';
// What every page has once there is a script.

// The moment `text`, RFC 3339, as pages show it.
const recoverTime = (text) => text.slice(0, 19).replace('T', ' ') + (text.endsWith('Z') ? 'Z' : '');
