/* Storages: their health, and what workers may ask of them a second. */

import { h } from '../dom.js';
import { call, get, path } from '../api.js';
import { ask } from '../dialog.js';
import { after } from '../actions.js';
import { facts, field, loading, name, panel, problem, span, tag }
    from '../parts.js';
import { bytes, count, parseBytes } from '../units.js';
import { store } from '../store/store.js';

export const title = 'Storages and limits';
export const nav = 'limits';

const EVERY_MS = 5000;

const TONES = { good: 'good', refusing: 'bad', failing: 'bad', silent: 'bad' };

const KINDS = [
    ['requests_per_second', 'Requests a second', count],
    ['bytes_per_second', 'Bytes a second', (n) => `${bytes(n)}/s`],
];


export function start(ctx) {
    const is = { ctx, limits: null, error: null };

    ctx.poll(EVERY_MS, (signal) => get('/limits', { signal }),
        ({ limits }) => Object.assign(is, { limits, error: null }),
        (error) => { is.error = error; });

    return { view: () => view(is) };
}


function view(is) {
    if (is.limits === null) {
        return is.error ? problem(is.error) : loading();
    }

    return h('div', null,
        h('p', { class: 'lead' }, 'Limits are those of all workers together, '
          + 'and hold within a second. Requests of clients are not limited.'),
        h('div', { class: 'cards' }, is.limits.map((one) => card(one))));
}


function card(limits) {
    const known = store.storages ? store.storages.storages.find(
        (one) => one.name === limits.storage) : null;
    const isSet = KINDS.some(([id]) => limits[id].override !== null);

    return h('div', { key: limits.storage }, panel(limits.storage,
        known ? health(known) : loading('A worker looks at it …'),
        facts(KINDS.map(([id, word, unit]) => [word,
                                               limitOf(limits[id], unit)])),
        h('div', { class: 'buttons left' },
            h('button', { type: 'button',
                          'aria-label': `Change the limits of ${
                              limits.storage}`,
                          onclick: () => change(limits) },
              'Change limits'),
            isSet ? h('button', { type: 'button',
                                  'aria-label': `Limits of ${
                                      limits.storage} as in chorus.json`,
                                  onclick: () => reset(limits) },
                      'As in chorus.json') : null)));
}


function health({ health: it, main, endpoint, provider, region, users }) {
    return facts([
        ['Health', [tag(TONES[it.state] || 'warn', it.state),
                    it.latency_ms ? [' in ', span(it.latency_ms)] : '',
                    it.reason ? `: ${it.reason}` : '']],
        ['Role', main ? 'main' : 'follower or target of routes'],
        ['Endpoint', name(endpoint)],
        ['Provider', `${provider}, ${region}`],
        ['Users', users.join(', ')],
    ]);
}


function limitOf({ limit, configured, override }, unit) {
    const is = limit === null ? 'no limit' : unit(limit);

    return override === null ? is
           : [is, h('span', { class: 'soft' }, ` set here; chorus.json: ${
               configured === null ? 'none' : unit(configured)}`)];
}


/* ---- changing ---- */


const asText = (limit) => (limit === null ? '' : String(limit));


function read(state) {
    const requests = state.requests.trim();
    const size = state.bytes.trim();
    const bad = {};

    if (requests !== '' && !/^\d{1,15}$/.test(requests)) {
        bad.requests = 'A whole number, or nothing for no limit.';
    }

    if (size !== '' && parseBytes(size) === null) {
        bad.bytes = 'Such as 10MiB, or nothing for no limit.';
    }

    return { bad, json: {
        requests_per_second: Number(requests) || 0,
        bytes_per_second: size === '' ? 0 : parseBytes(size),
    } };
}


function asSize(limit) {
    if (limit === null) {
        return '';
    }

    return limit && limit % 1048576 === 0 ? `${limit / 1048576}MiB`
                                          : String(limit);
}


async function change(limits) {
    const { storage } = limits;
    const done = await ask({
        title: `Limits of ${storage}`, verb: 'Set them',
        state: { requests: asText(limits.requests_per_second.limit),
                 bytes: asSize(limits.bytes_per_second.limit) },
        isReady: (state) => Object.keys(read(state).bad).length === 0,
        body: (state, redraw) => form(state, redraw, storage),
        run: (state) => call('PUT', `/limits${path(storage)}`,
                             { json: read(state).json }),
    });

    await after(done, `Limits of ${storage} are set.`);
}


function form(state, redraw, storage) {
    const { bad, json } = read(state);
    const text = (id, label, help) => field(label, help, h('input', {
        id: `d-${id}`, value: state[id], autocomplete: 'off',
        oninput(e) { state[id] = e.target.value; redraw(); } }), bad[id]);

    return [
        text('requests', 'Requests a second', 'Nothing: no limit.'),
        text('bytes', 'Bytes a second', 'Such as 10MiB. Nothing: no limit.'),
        h('p', null, 'All workers together ask ', name(storage), ' for ',
          json.requests_per_second ? `at most ${
              count(json.requests_per_second)}` : 'as many as they can',
          ' requests and ', json.bytes_per_second ? `at most ${
              bytes(json.bytes_per_second)}` : 'as many bytes as they can',
          ' a second. This stays until it is changed, also over restarts.'),
    ];
}


async function reset({ storage }) {
    const done = await ask({
        title: `Limits of ${storage} as in chorus.json?`, verb: 'Reset',
        body: () => h('p', null, 'What was set here for ', name(storage),
                      ' is forgotten.'),
        run: () => call('DELETE', `/limits${path(storage)}`),
    });

    await after(done, `Limits of ${storage} are those of chorus.json.`);
}


