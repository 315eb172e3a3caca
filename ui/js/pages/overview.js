/* How all of it is, at a look: what needs a person first. */

import { h } from '../dom.js';
import { store } from '../store/store.js';
import * as history from '../history.js';
import { needs, isRunning, titleOf, scanWords } from '../words.js';
import { bytes, count, duration, exactly, figures, plural }
    from '../units.js';
import { awaited, loading, panel, scanBar, span, speed } from '../parts.js';
import { flow } from './flow.js';

export const title = 'Overview';
export const nav = 'overview';

const SCANS = 5;


export function start(ctx) {
    const hour = history.follow(ctx);

    return { view: () => view(hour) };
}


function view(hour) {
    if (store.api === 'starting') {
        return loading();
    }

    return h('div', { class: 'overview' },
        attention(),
        store.redis === 'up' ? tiles() : null,
        flow(store),
        h('div', { class: 'two' }, history.view(hour), running()),
        h('div', { class: 'two' }, workers(), proxies()));
}


/* ---- what needs a person ---- */


function attention() {
    const list = needs(store);

    if (store.api === 'away') {
        return null;
    }

    if (list.length === 0) {
        return h('section', { class: 'attention good', key: 'attention',
                              'aria-label': 'What needs a person' },
            h('p', null, h('strong', null, 'Nothing needs you. '),
              store.rows.length ? calm() : ''));
    }

    return h('section', { class: 'attention', key: 'attention',
                          'aria-label': 'What needs a person' },
        h('ul', null, list.map((one) => h('li', { class: one.tone,
                                                  key: one.text },
            h('div', null, h('strong', null, one.text),
              one.detail ? h('p', null, one.detail) : null),
            one.to ? h('a', { class: 'button', href: one.to,
                              'aria-label': `Look: ${one.text}` }, 'Look')
                   : null))));
}


function calm() {
    const { totals } = store;
    const n = plural(store.rows.length, 'replication');
    const paused = store.rows.filter((row) => row.state === 'paused').length;
    const more = paused ? `; ${count(paused)} of them paused, where changes `
                          + 'wait' : '';

    return totals.dirty + totals.busy + totals.bulk === 0
           ? `${n}, all up to date${more}.`
           : `${n}, changes are being copied${more}.`;
}


/* ---- figures ---- */


function tiles() {
    const { totals } = store;
    const waiting = totals.dirty + totals.bulk + totals.again + totals.retry;

    return h('section', { class: 'tiles', 'aria-label': 'Figures',
                          key: 'tiles' },
        tile('Lag', span(totals.lag_ms),
             totals.lag_ms ? 'the oldest change that is not on a follower'
                           : 'every change is on its followers'),
        tile('Waiting', count(waiting),
             waiting || totals.busy
             ? `${count(totals.dirty)} changed, ${count(totals.bulk)} of `
               + `scans, ${count(totals.retry)} to try again`
             : 'no key waits'),
        tile('Copying', speed(totals.rate && totals.rate.bytes),
             totals.rate ? `${figures(totals.rate.keys)} keys a second, ${
                 count(totals.busy)} at this moment` : 'measuring'),
        tile('Parked', count(totals.failed),
             totals.failed ? 'wait for a person' : 'no key',
             totals.failed ? 'bad' : null),
        tile('Requests', store.proxyRate === null ? '–'
             : `${figures(store.proxyRate)}/s`,
             'of S3 clients, at this nginx'));
}


function tile(label, value, more, tone) {
    return h('div', { class: tone ? `tile ${tone}` : 'tile', key: label },
        h('h2', null, label), h('p', { class: 'value' }, value),
        h('p', { class: 'soft' }, more));
}


/* ---- what runs ---- */


function running() {
    const list = [...store.scans.values()].filter(isRunning);

    return panel('Migrations and checks that run',
        list.length === 0
        ? store.scansKnown ? h('p', { class: 'empty' }, 'None.')
                           : awaited('them')
        : h('ul', { class: 'plain' }, list.slice(0, SCANS).map((scan) =>
            h('li', { key: scan.replication },
                h('a', { href: `#/scans/${
                    encodeURIComponent(scan.replication)}` },
                  store.byName.has(scan.replication)
                  ? titleOf(store.byName.get(scan.replication))
                  : scan.replication),
                h('span', { class: 'soft' }, ` ${scan.kind}, ${
                    scanWords(scan)}`),
                scanBar(scan)))),
        list.length > SCANS ? h('p', null, h('a', { href: '#/scans' },
            `All ${count(list.length)}`)) : null);
}


function workers() {
    const list = store.workers;

    return panel('Workers',
        list === null ? awaited('them')
        : list.length === 0 ? h('p', { class: 'empty' }, 'None runs.')
        : h('table', { class: 'small' },
            h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Worker'),
                h('th', { scope: 'col', class: 'num' }, 'Busy'),
                h('th', { scope: 'col', class: 'num' }, 'Errors'),
                h('th', { scope: 'col', class: 'num' }, 'Heard of'))),
            h('tbody', null, list.map((worker) => h('tr', {
                key: worker.worker },
                h('td', null, h('bdi', null, worker.worker)),
                h('td', { class: 'num' }, `${count(worker.busy)} of ${
                    count(worker.slots)}`),
                h('td', { class: 'num' }, errors(worker)),
                h('td', { class: 'num' }, `${duration(worker.age_ms)} ago`)
            )))));
}


function errors({ storages }) {
    const add = (what) => storages.reduce((n, one) => n + one[what], 0);

    return h('span', { title: `${count(add('throttles'))} times slowed down, ${
        count(add('requests'))} requests since it started` },
             count(add('errors')));
}


function proxies() {
    const { policy, proxy } = store;
    const readers = policy ? policy.readers.filter(
        (one) => one.kind === 'proxy') : [];

    return panel('Proxies',
        store.redis === 'away'
        ? h('p', { class: 'empty' }, 'Redis knows, and is away.')
        : h('p', null, `${plural(readers.length, 'nginx process',
            'nginx processes')} alive. `, policy ? behind(policy) : ''),
        proxy ? journal(proxy) : null);
}


function behind(policy) {
    return policy.behind === 0
           ? h('span', { title: policy.version > 1 ? exactly(
               policy.version / 1000) : null },
               'All proxies and workers run the rules that are set.')
           : `${plural(policy.behind, 'process', 'processes')} of these and `
             + 'of workers do not run yet what is set.';
}


function journal(proxy) {
    const it = proxy.journal;

    if (!it) {
        return h('p', null, 'There is no journal: what Redis has not heard '
                 + 'of is lost with the process (chorus_journal).');
    }

    return h('p', null, `The journal is ${it.state}: ${bytes(it.bytes)} in ${
        plural(it.segments, 'segment')}. `, proxy.waiting
        ? `${plural(proxy.waiting, 'key')} not in Redis yet.`
        : 'Redis has heard of every change.');
}
