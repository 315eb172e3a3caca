/* Migrations, checks and repairs: the one of each replication that runs, or
 * the last one. */

import { h } from '../dom.js';
import { store } from '../store/store.js';
import { Table } from '../table.js';
import { awaited, choice, moment, name, scanBar, scanTag, span }
    from '../parts.js';
import { KINDS, differences, isRunning, progressOf, titleOf }
    from '../words.js';
import { count } from '../units.js';
import { startScan } from './scan.js';

export const title = 'Migrations and checks';
export const nav = 'scans';

const PHASES = [['listing', 'Comparing'], ['copying', 'Copying'],
                ['done', 'Done'], ['failed', 'Failed'],
                ['stopped', 'Stopped'], ['skipped', 'Skipped']];


export function start(ctx) {
    const table = new Table({
        ctx, label: 'migrations and checks', noun: 'scan',
        sort: 'started.down', columns, keyOf: (scan) => scan.replication,
        nameOf: (scan) => named(scan),
        textOf: (scan) => `${scan.replication} ${scan.kind || ''} ${
            scan.phase}`,
        empty: 'Nothing was scanned yet.',
    });

    return { view: () => view(table) };
}


function named(scan) {
    const row = store.byName.get(scan.replication);

    return row ? titleOf(row) : scan.replication;
}


const columns = [
    { id: 'replication', title: 'Replication', value: named, wide: true,
      cell: (scan) => h('a', { href: `#/scans/${
          encodeURIComponent(scan.replication)}` }, name(named(scan))) },
    { id: 'kind', title: 'What', value: (scan) => scan.kind || '',
      cell: (scan) => KINDS[scan.kind] || '–' },
    { id: 'phase', title: 'How it goes', wide: true,
      value: (scan) => PHASES.findIndex(([id]) => id === scan.phase),
      cell: scanTag },
    { id: 'progress', title: 'Progress', down: true,
      value: (scan) => (isRunning(scan) ? progressOf(scan) ?? 0 : null),
      cell: (scan) => (isRunning(scan) ? scanBar(scan) : '–') },
    { id: 'main', title: 'Compared', num: true, down: true,
      value: (scan) => scan.main ?? null, cell: (scan) => count(scan.main) },
    { id: 'differ', title: 'Differed', num: true, down: true,
      value: differences, cell: (scan) => count(differences(scan)) },
    { id: 'left', title: 'Time left', num: true,
      value: (scan) => (isRunning(scan) ? scan.remaining_ms ?? null : null),
      cell: (scan) => (isRunning(scan) ? span(scan.remaining_ms) : '–') },
    { id: 'started', title: 'Begun', num: true, down: true,
      value: (scan) => scan.started_ms ?? null,
      cell: (scan) => moment(scan.started_ms, true) },
];


function view(table) {
    if (!store.scansKnown) {
        return awaited('them');
    }

    const { query } = table;
    const all = [...store.scans.values()];
    const rows = all.filter((scan) =>
        (!query.phase || scan.phase === query.phase)
        && (!query.kind || scan.kind === query.kind));
    const of = (label, id, list) => choice(label, query[id] || '',
        [['', 'all'], ...list],
        (value) => table.set({ [id]: value, page: '' }));

    return h('div', null,
        h('p', { class: 'lead' }, 'The scan of each replication that runs, '
          + 'or the last one. '),
        table.view(rows, { total: all.length,
            filters: [of('How it goes', 'phase', PHASES),
                      of('What', 'kind', Object.entries(KINDS))],
            actions: [
                h('button', { type: 'button', onclick: () => startScan(
                    table.chosen().map((scan) => scan.replication)) },
                  'Begin another'),
            ] }));
}
