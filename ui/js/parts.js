/* Small things that several pages show. */

import { h } from './dom.js';
import { ago, bytes, count, duration, exactly, rate, time } from './units.js';
import { now } from './api.js';
import { store } from './store/store.js';
import { differences, progressOf, scanWords, stateOf } from './words.js';


/* names of buckets and keys: shown as they are, in their own direction */

export const name = (text) => h('bdi', { class: 'name', title: text }, text);


export function moment(ms, isShort) {
    return ms ? h('time', { datetime: new Date(ms).toISOString(),
                            title: exactly(ms) },
                  isShort ? ago(ms, now()) : time(ms, now())) : '–';
}


export function size(n) {
    return n === null || n === undefined ? '–'
           : h('span', { title: `${count(n)} bytes` }, bytes(n));
}


export function span(ms) {
    return ms === null || ms === undefined ? '–'
           : h('span', { title: `${count(ms)} ms` }, duration(ms));
}


export function speed(value) {
    return value === null || value === undefined ? '–'
           : h('span', { title: `${count(value)} bytes a second` },
               rate(value, 'bytes'));
}


export function tag(tone, word, title) {
    return h('span', { class: `tag ${tone}`, title }, word);
}


export function stateTag(row) {
    const { word, tone, why } = stateOf(row);

    return h('span', { class: 'nowrap' }, tag(tone, word, why));
}


export function scanTag(scan) {
    const tone = { failed: 'bad', stopped: 'warn', listing: 'busy',
                   copying: 'busy' }[scan.phase]
                 || (scan.kind === 'check' && differences(scan) ? 'warn'
                     : scan.phase === 'done' ? 'good' : 'calm');

    return tag(tone, scanWords(scan), scan.reason);
}


export function dot(tone, words) {
    return [h('span', { class: `dot ${tone}`, 'aria-hidden': 'true' }), words];
}


/* of 0 to 1; null: something is done, nobody knows how much is left */

export function bar(share, label, words) {
    const percent = share === null ? null : Math.floor(share * 100);

    return h('div', { class: 'progress' },
        h('div', { class: share === null ? 'bar open' : 'bar',
                   role: 'progressbar', 'aria-label': label,
                   'aria-valuemin': '0', 'aria-valuemax': '100',
                   'aria-valuenow': percent, 'aria-valuetext': words,
                   vars: { '--share': share === null ? '35%'
                                                     : `${percent}%` } },
          h('span', null)),
        h('span', { class: 'soft' }, percent === null ? words
                                                      : `${percent} %`));
}


export function scanBar(scan) {
    return bar(progressOf(scan), `Progress of ${scan.replication}`,
               'listing');
}


/* [[what, value]] */

export function facts(list) {
    return h('dl', { class: 'facts' }, list.map(([what, value]) => value
        === undefined ? null : h('div', { key: what },
                                 h('dt', null, what), h('dd', null, value))));
}


/* Its id is that of no other title: "On f1" and "On f2" may stand together. */

export function panel(title, ...content) {
    const id = `p-${title.replace(/[^A-Za-z0-9]/g,
        (c) => `-${c.charCodeAt(0).toString(36)}`)}`;

    return h('section', { class: 'panel', 'aria-labelledby': id, key: id },
             h('h2', { id }, title), content);
}


export function loading(words = 'Asking …') {
    return h('p', { class: 'loading', role: 'status' }, words);
}


/* What is not there yet: it is asked for, or cannot be had. */

export function awaited(what) {
    const away = store.api === 'away' ? 'the API'
                 : store.redis === 'away' ? 'Redis' : '';

    return away ? h('p', { class: 'empty' }, `Nothing is known of ${
        what} while ${away} is away.`) : loading();
}


export function problem(error, again) {
    return h('div', { class: 'problem', role: 'alert' },
        h('p', null, error.message),
        again ? h('button', { type: 'button', onclick: again }, 'Try again')
              : null);
}


export function choice(label, value, list, onchange) {
    return h('label', { class: 'choice' }, h('span', null, label),
        h('select', { value, onchange: (e) => onchange(e.target.value) },
          list.map(([id, word]) => h('option', { value: id, key: id },
                                     word))));
}


/* A field with its label and what is wrong with it. */

let fields = 0;

export function field(label, help, input, error) {
    const id = input.props.id || `f-${++fields}`;

    input.props.id = id;
    input.props['aria-describedby'] = help || error ? `${id}-help` : null;
    input.props['aria-invalid'] = error ? 'true' : null;

    return h('div', { class: 'field' },
        h('label', { for: id }, label), input,
        help || error ? h('p', { id: `${id}-help`,
                                 class: error ? 'error' : 'soft' },
                          error || help) : null);
}


export function tabs(label, list, current, onchange) {
    return h('div', { class: 'tabs', role: 'group', 'aria-label': label },
        list.map(([id, word]) => h('button', {
            type: 'button', key: id,
            'aria-pressed': String(id === current),
            onclick: () => onchange(id),
        }, word)));
}
