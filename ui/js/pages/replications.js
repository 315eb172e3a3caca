/* All replications: one bucket of a user to one follower each. */

import { h } from '../dom.js';
import { store } from '../store/store.js';
import { Table } from '../table.js';
import { STATES, stateOf, titleOf, placeOf, isRunning, progressOf, waiting }
    from '../words.js';
import { awaited, choice, moment, name, scanBar, span, speed, stateTag }
    from '../parts.js';
import { count } from '../units.js';
import { remove } from '../actions.js';
import { pause, resume } from '../pausing.js';
import { startScan } from './scan.js';

export const title = 'Replications';
export const nav = 'replications';


export const linkOf = (row) => `#/replications/${
    encodeURIComponent(row.replication)}`;


export function start(ctx) {
    const table = new Table({
        ctx, label: 'replications', noun: 'replication', sort: 'lag.down',
        columns, keyOf: (row) => row.replication, nameOf: titleOf,
        textOf: (row) => `${row.user} ${row.bucket} ${row.follower} ${
            row.target} ${stateOf(row).word}`,
        empty: ['Nothing is replicated yet. ',
                h('a', { href: '#/new' }, 'New replication')],
    });

    return { view: () => view(table) };
}


const columns = [
    { id: 'bucket', title: 'Bucket', value: (row) => row.bucket, wide: true,
      cell: (row) => h('a', { href: linkOf(row) }, name(row.bucket)) },
    { id: 'user', title: 'User', value: (row) => row.user,
      cell: (row) => name(row.user) },
    { id: 'follower', title: 'Follower', value: placeOf,
      cell: (row) => name(placeOf(row)) },
    { id: 'state', title: 'State', value: (row) => STATES.findIndex(
        ([id]) => id === stateOf(row).id), cell: stateTag },
    { id: 'lag', title: 'Lag', num: true, down: true,
      value: (row) => row.lag_ms, cell: (row) => span(row.lag_ms) },
    { id: 'waiting', title: 'Waiting', num: true, down: true, value: waiting,
      cell: (row) => h('span', { title: `${count(row.dirty)} changed, ${
          count(row.bulk)} of scans, ${count(row.busy)} being copied, ${
          count(row.retry)} to try again` }, count(waiting(row))) },
    { id: 'rate', title: 'Rate', num: true, down: true,
      value: (row) => (row.rate ? row.rate.bytes : null),
      cell: (row) => speed((row.rate && row.rate.bytes) || null) },
    { id: 'progress', title: 'Progress', down: true,
      value: (row) => (isRunning(row.scan) ? progressOf(row.scan) ?? 0
                                           : null),
      cell: (row) => (isRunning(row.scan) ? scanBar(row.scan)
                                          : h('span', { class: 'soft' },
                                              '–')) },
    { id: 'verified', title: 'Last verified', num: true, down: true,
      value: (row) => (row.scan && row.scan.verified_ms) || null,
      cell: (row) => (row.scan && row.scan.verified_ms
                      ? moment(row.scan.verified_ms, true)
                      : h('span', { class: 'soft' }, 'never')) },
];


function view(table) {
    if (store.at === 0) {
        return awaited('them');
    }

    const { query } = table;
    const rows = store.rows.filter((row) =>
        (!query.state || stateOf(row).id === query.state)
        && (!query.follower || row.follower === query.follower)
        && (!query.user || row.user === query.user));

    return h('div', null,
        h('p', { class: 'lead' },
            h('a', { class: 'button main', href: '#/new' },
              'New replication')),
        table.view(rows, { total: store.rows.length, filters: filters(table),
                           actions: actions(table) }));
}


function filters(table) {
    const of = (label, id, list) => choice(label, table.query[id] || '',
        [['', 'all'], ...list],
        (value) => table.set({ [id]: value, page: '' }));
    const distinct = (what) => [...new Set(store.rows.map(what))].sort()
        .map((one) => [one, one]);

    return [
        of('State', 'state', STATES),
        of('Follower', 'follower', distinct((row) => row.follower)),
        of('User', 'user', distinct((row) => row.user)),
    ];
}


function actions(table) {
    const press = (run) => () => run(table.chosen());

    return [
        h('button', { type: 'button', onclick: press(pause) }, 'Pause'),
        h('button', { type: 'button', onclick: press(resume) }, 'Resume'),
        h('button', { type: 'button', onclick: press((rows) => startScan(
            rows.map((row) => row.replication))) }, 'Check'),
        h('button', { type: 'button', class: 'danger',
                      onclick: press(remove) }, 'Delete'),
    ];
}
