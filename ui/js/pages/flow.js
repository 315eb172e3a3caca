/*
 * Main, and what goes from there to each follower.  The lines are a drawing of
 * as many rows as there are followers; what they say stands beside them.
 */

import { h } from '../dom.js';
import { count, duration, plural, rate } from '../units.js';
import { stateOf, STATES, waiting } from '../words.js';
import { dot } from '../parts.js';

const ROW = 108;                 /* pixels; the style sheet has it, too */
const GRAVE = STATES.map(([id]) => id);

const HEALTH = { good: 'good', refusing: 'bad', failing: 'bad',
                 silent: 'bad', unknown: 'warn' };


export function flow(store) {
    const followers = followersOf(store);
    const main = mainOf(store);

    if (main === null && followers.length === 0) {
        return null;
    }

    return h('section', { class: 'flow', key: 'flow',
                          'aria-label': 'From main to its followers' },
        h('div', { class: 'node main' }, node(main || { name: 'main' }, [
            h('p', { class: 'soft' }, 'All writes go here first.')])),
        lines(followers),
        h('ul', { class: 'plain' }, followers.some((one) => one.rows) ? null
            : h('li', { class: 'node none' }, h('p', { class: 'empty' },
                'Nothing is replicated yet. ',
                h('a', { href: '#/new' }, 'New replication'))),
          followers.map((one) => h('li', {
              class: `node ${one.tone}`, key: one.name },
              node(one, one.rows ? words(one) : h('p', { class: 'soft' },
                  'No replication leads here.'))))));
}


function mainOf({ storages }) {
    return storages ? storages.storages.find((one) => one.main) || null
                    : null;
}


/* Those that something is replicated to, with what all of that is; then what
 * storages there are besides. */

function followersOf(store) {
    const found = new Map();

    for (const row of store.rows) {
        const one = found.get(row.follower)
                    || { name: row.follower, rows: 0, lag: 0, waiting: 0,
                         bytes: 0, keys: 0, parked: 0, state: null };
        const state = stateOf(row);

        one.rows++;
        one.lag = Math.max(one.lag, row.lag_ms);
        one.waiting += waiting(row);
        one.parked += row.failed;
        one.bytes += row.rate ? row.rate.bytes : 0;
        one.keys += row.rate ? row.rate.keys : 0;

        if (one.state === null || GRAVE.indexOf(state.id)
                                  < GRAVE.indexOf(one.state.id))
        {
            one.state = state;
        }

        found.set(row.follower, one);
    }

    for (const storage of store.storages ? store.storages.storages : []) {
        if (!storage.main) {
            found.set(storage.name, {
                name: storage.name, rows: 0, ...found.get(storage.name),
                health: storage.health, endpoint: storage.endpoint });
        }
    }

    return [...found.values()]
        .map((one) => ({ ...one, tone: one.state ? one.state.tone : 'idle' }))
        .sort((a, b) => Number(b.rows > 0) - Number(a.rows > 0)
                        || (a.name < b.name ? -1 : 1));
}


function node(one, more) {
    const health = one.health;

    return [
        h('h3', null, dot(health ? HEALTH[health.state] || 'warn' : 'none', ''),
          h('bdi', null, one.name), one.main && one.name !== 'main'
          ? h('span', { class: 'soft' }, ' main') : null),
        h('p', { class: 'soft', title: one.endpoint }, health
          ? `${health.state}${health.latency_ms
              ? `, answers in ${duration(health.latency_ms)}` : ''}`
          : 'health not known yet'),
        more,
    ];
}


function words(one) {
    return [
        h('p', null, one.lag ? `${duration(one.lag)} behind, ${
            count(one.waiting)} waiting` : one.waiting
            ? `${plural(one.waiting, 'key')} waiting` : 'up to date',
          one.bytes ? `, ${rate(one.bytes, 'bytes')}` : ''),
        h('p', { class: 'soft' }, h('a', {
            href: `#/replications?follower=${encodeURIComponent(one.name)}`,
        }, plural(one.rows, 'replication')),
          one.state.id === 'calm' || one.state.id === 'copying' ? ''
          : `; ${one.state.word.toLowerCase()}`),
    ];
}


function lines(followers) {
    const rows = Math.max(1, followers.length);
    const middle = rows * ROW / 2;

    return h('svg', {
        class: 'lines', viewBox: `0 0 100 ${rows * ROW}`,
        preserveAspectRatio: 'none', 'aria-hidden': 'true',
        focusable: 'false', vars: { '--rows': String(rows) },
    }, followers.map((one, i) => {
        if (one.rows === 0) {
            return null;
        }

        const y = i * ROW + ROW / 2;

        return h('path', {
            key: one.name,
            class: `${one.tone}${one.keys ? ' moves' : ''}`,
            'vector-effect': 'non-scaling-stroke',
            d: `M0 ${middle} C50 ${middle} 50 ${y} 100 ${y}`,
        });
    }));
}
