/* Keys that are parked: by reason first, since one cause has many of them. */

import { h } from '../dom.js';
import { pages } from '../api.js';
import { store } from '../store/store.js';
import { Table } from '../table.js';
import { choice, loading, moment, name, problem, tag } from '../parts.js';
import { count, plural } from '../units.js';
import { drop, retry } from '../actions.js';
import { titleOf } from '../words.js';
import { format } from '../route.js';

export const title = 'Failed keys';
export const nav = 'failed';

const EVERY_MS = 5000;
const KEPT = 5000;              /* rows; all are counted */


export function start(ctx) {
    const is = { ctx, keys: null, reasons: {}, error: null };
    const table = tableOf(ctx, []);

    ctx.poll(EVERY_MS, load, (answer) => Object.assign(is, answer,
                                                       { error: null }),
             (error) => { is.error = error; });

    return { view: () => view(is, table) };
}


async function load(signal) {
    const keys = [];
    const reasons = {};

    await pages('/failed', (answer) => {
        keys.push(...answer.keys.slice(0, KEPT - keys.length));

        for (const [code, n] of Object.entries(answer.reasons)) {
            reasons[code] = (reasons[code] || 0) + n;
        }

        return answer;
    }, { signal });

    return { keys, reasons };
}


/* ---- a table of keys, of this page and of a replication's ---- */


const columns = [
    { id: 'key', title: 'Key', value: (row) => row.key, wide: true,
      cell: (row) => keyOf(row) },
    { id: 'replication', title: 'Replication', wide: true,
      value: (row) => row.replication, cell: (row) => h('a', {
          href: `#/replications/${encodeURIComponent(row.replication)}` },
          name(named(row.replication))) },
    { id: 'code', title: 'Reason', value: (row) => row.code, wide: true,
      cell: (row) => [tag('bad', row.code), h('div', { class: 'soft' },
                                              row.reason)] },
    { id: 'attempts', title: 'Attempts', num: true, down: true,
      value: (row) => row.attempts, cell: (row) => count(row.attempts) },
    { id: 'first', title: 'First failed', num: true,
      value: (row) => row.first_ms,
      cell: (row) => moment(row.first_ms, true) },
    { id: 'do', title: '', cell: (row) => h('span', { class: 'nowrap' },
        h('button', { type: 'button', class: 'small',
                      'aria-label': `Try ${row.key} again`,
                      onclick: () => retry(oneOf(row),
                          ['The key ', ...whose(row), ' is tried again.'], 1),
                    }, 'Try again'), ' ',
        h('a', { class: 'button small', href: explainLink(row),
                 'aria-label': `Explain ${row.key}` }, 'Explain'), ' ',
        h('button', { type: 'button', class: 'small danger',
                      'aria-label': `Forget ${row.key}`,
                      onclick: () => drop(oneOf(row),
                          ['The key ', ...whose(row), ' is forgotten.']),
                    }, 'Forget')) },
];


function keyOf({ key }) {
    return key === '' ? h('em', null, 'the bucket itself') : name(key);
}


const oneOf = (row) => ({ replication: row.replication, row });

const whose = (row) => [keyOf(row), ' of ', name(named(row.replication))];


function named(replication) {
    const row = store.byName.get(replication);

    return row ? titleOf(row) : replication;
}


function explainLink(row) {
    const of = store.byName.get(row.replication);

    return of ? format(['explain'], {
        user: of.user, bucket: of.bucket, key: row.key,
        key16: row.key_base16 }) : '#/explain';
}


function tableOf(ctx, without) {
    return new Table({
        ctx, label: 'failed keys', noun: 'key', sort: 'first.up',
        columns: columns.filter((one) => !without.includes(one.id)),
        keyOf: (row) => `${row.replication} ${row.key_base16 || row.key}`,
        nameOf: (row) => row.key,
        textOf: (row) => `${row.key} ${row.replication} ${row.code} ${
            row.reason}`,
        empty: 'No key is parked.',
    });
}


const tables = new WeakMap();

export function keysTable(keys, ctx, { without = [] }) {
    if (!tables.has(ctx)) {
        tables.set(ctx, tableOf(ctx, without));
    }

    return tables.get(ctx).view(keys);
}


export function askRetry({ replication, reason }, n) {
    return retry({ replication, reason }, [
        `${plural(n, 'key')} `, replication ? ['of ',
                                               name(named(replication)), ' ']
                                            : 'of all replications ',
        reason ? ['with the reason ', h('code', null, reason), ' '] : '',
        n === 1 ? 'is tried again.' : 'are tried again.'], n);
}


export function askDrop({ replication }, n) {
    return drop({ replication }, [`${plural(n, 'key')} of `,
        name(named(replication)), n === 1 ? ' is' : ' are', ' forgotten.']);
}


/* ---- the page ---- */


function view(is, table) {
    if (is.keys === null) {
        return is.error ? problem(is.error) : loading();
    }

    const total = Object.values(is.reasons).reduce((a, b) => a + b, 0);
    const reason = table.query.reason || '';
    const keys = reason ? is.keys.filter((row) => row.code === reason)
                        : is.keys;

    return h('div', null, groups(is, table, total),
        total > KEPT ? h('p', { class: 'note' }, `The first ${count(KEPT)} of `
            + `${count(total)} keys are in this table; all of them are `
            + 'counted above and tried again from there.') : null,
        table.view(keys, { total: is.keys.length,
            filters: choice('Reason', reason, [['', 'all'],
                ...Object.keys(is.reasons).sort().map((one) => [one, one])],
                (value) => table.set({ reason: value, page: '' })) }));
}


function groups(is, table, total) {
    const list = Object.entries(is.reasons).sort((a, b) => b[1] - a[1]);

    return list.length === 0 ? null : h('section', {
        class: 'panel', 'aria-label': 'By reason' },
        h('table', { class: 'small reasons' },
            h('thead', null, h('tr', null,
                h('th', { scope: 'col' }, 'Reason'),
                h('th', { scope: 'col', class: 'num' }, 'Keys'),
                h('th', { scope: 'col' }, h('span', { class: 'unseen' },
                                            'Actions')))),
            h('tbody', null, list.map(([code, n]) => h('tr', { key: code },
                h('td', null, tag('bad', code), ' ',
                  h('span', { class: 'soft' }, example(is, code))),
                h('td', { class: 'num' }, count(n)),
                h('td', { class: 'nowrap' }, h('button', {
                    type: 'button', class: 'small',
                    'aria-label': `Try all ${code} again`,
                    onclick: () => askRetry({ reason: code }, n),
                }, 'Try again'), ' ', h('button', {
                    type: 'button', class: 'small danger',
                    'aria-label': `Forget all ${code}`,
                    onclick: () => drop({ reason: code },
                        [`${plural(n, 'key')} of all replications with the `
                         + 'reason ', h('code', null, code), ' '
                         + (n === 1 ? 'is' : 'are') + ' forgotten.']),
                }, 'Forget')))))),
        list.length > 1 ? h('div', { class: 'buttons left' }, h('button', {
            type: 'button', onclick: () => askRetry({}, total),
        }, `Try all ${count(total)} again`)) : null);
}


function example(is, code) {
    const one = is.keys.find((row) => row.code === code);

    return one ? one.reason : '';
}
