/* What was changed at run time, by whom. */

import { h } from '../dom.js';
import { get } from '../api.js';
import { Table } from '../table.js';
import { choice, loading, moment, name, problem } from '../parts.js';

export const title = 'Audit';
export const nav = 'audit';

const EVERY_MS = 10000;
const ALL = 1000;


export function start(ctx) {
    const is = { ctx, entries: null, error: null };
    const table = new Table({
        ctx, label: 'changes', noun: 'change', sort: 'at.down', columns,
        keyOf: (one) => one.number, nameOf: (one) => one.id,
        textOf: (one) => `${one.who} ${one.action} ${one.kind} ${one.id} ${
            one.words}`,
        empty: 'Nothing was changed yet.',
    });

    ctx.poll(EVERY_MS, (signal) => get('/audit', { signal,
                                                   query: { count: ALL } }),
             ({ total, entries }) => {
        is.entries = entries.map((one, i) => ({ ...one, number: total - i,
                                                words: wordsOf(one) }));
        is.error = null;
    }, (error) => { is.error = error; });

    return { view: () => view(is, table) };
}


const columns = [
    { id: 'at', title: 'When', down: true, value: (one) => one.number,
      cell: (one) => moment(one.at_ms) },
    { id: 'who', title: 'Who', value: (one) => one.who,
      cell: (one) => name(one.who) },
    { id: 'action', title: 'What', value: (one) => `${one.kind} ${one.action}`,
      cell: (one) => `${one.kind}: ${one.action}` },
    { id: 'id', title: 'Of', value: (one) => one.id, wide: true,
      cell: (one) => name(one.id) },
    { id: 'words', title: 'Before and after', wide: true,
      cell: (one) => h('span', { class: 'change' }, one.words) },
];


/* what stands in other columns already, or names no setting */
const DULL = ['id', 'kind', 'since', 'version', 'guarded'];


/* which each rule has, and only some are */
const isOff = (name, value) => ['paused', 'migrate'].includes(name)
                               && value === 'false';


/* {"rule": {"bucket": "a"}, "limit": 1} as Map: bucket -> a, limit -> 1 */

function flat(value, name = '', into = new Map()) {
    if (value === null || value === undefined || DULL.includes(name)) {
        return into;
    }

    if (Array.isArray(value) && value.every((one) => typeof one !== 'object'))
    {
        into.set(name, value.join(', '));

    } else if (typeof value === 'object') {
        for (const [key, one] of Object.entries(value)) {
            flat(one, key, into);
        }

    } else {
        into.set(name, String(value));
    }

    return into;
}


/* Of a change only what differs, else all that was or is there. */

export function wordsOf({ kind, before, after }) {
    /* a scan: what kind, how closely, and what else is on */
    if (kind === 'scan' && Array.isArray(before)) {
        return before.filter((one) => String(one) !== '0').join(' ');
    }

    /* of a call: its arguments, and what it answered */
    if (Array.isArray(before)) {
        return before.join(' ') + (typeof after === 'object' || after === ''
                                   ? '' : ` → ${after}`);
    }

    const was = flat(before);
    const is = flat(after);
    const names = [...new Set([...was.keys(), ...is.keys()])]
        .filter((name) => (was.size && is.size
                           ? was.get(name) !== is.get(name)
                           : !isOff(name, was.get(name) ?? is.get(name))));
    const side = (of, name) => of.get(name) ?? 'none';

    return names.map((name) => {
        const label = name ? `${name}: ` : '';

        return was.size && is.size
               ? `${label}${side(was, name)} → ${side(is, name)}`
               : `${label}${side(was.size ? was : is, name)}`;
    }).join('; ');
}


function view(is, table) {
    if (is.entries === null) {
        return is.error ? problem(is.error) : loading();
    }

    const { kind } = table.query;
    const kinds = [...new Set(is.entries.map((one) => one.kind))].sort();

    return table.view(kind ? is.entries.filter((one) => one.kind === kind)
                           : is.entries, {
        total: is.entries.length,
        filters: choice('Kind', kind || '', [['', 'all'],
            ...kinds.map((one) => [one, one])],
            (value) => table.set({ kind: value, page: '' })),
    });
}
