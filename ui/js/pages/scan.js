/* The scan of one replication: how far it is, what it found. */

import { h } from '../dom.js';
import { call, get, path } from '../api.js';
import { collect, hand, linesOf, reportOf, saveReport } from '../report.js';
import { ask, each } from '../dialog.js';
import { after, listed, radio, stopScan, tick } from '../actions.js';
import { awaited, facts, loading, moment, name, panel, scanBar, scanTag, size,
         span, speed } from '../parts.js';
import { KINDS, LEVELS, differences, finished, isRunning, scanWords,
         titleOf } from '../words.js';
import { store } from '../store/store.js';
import { count, plural } from '../units.js';

export const nav = 'scans';

const LINES_MS = 5000;
const LINES = 200;              /* on the page; the report has all */


export function title(route) {
    const row = store.byName.get(route.parts[1]);

    return `Scan of ${row ? titleOf(row) : route.parts[1]}`;
}


export function start(ctx) {
    const id = ctx.route.parts[1];
    const is = { ctx, id, found: null, isSaving: false };

    ctx.poll(LINES_MS, (signal) => get(`/scans${path(id)}/differences`,
                                       { signal }),
             (answer) => { is.found = answer; });

    return { view: () => view(is) };
}


function view(is) {
    const scan = store.scans.get(is.id);

    /* a worker has looked at it, and found that nobody wants a migration */
    if (!scan || !scan.kind) {
        return store.scansKnown ? h('div', { class: 'empty' },
            h('p', null, 'There was no scan of ', name(is.id), ' yet',
              scan ? `: ${scanWords(scan)}.` : '.'),
            h('div', { class: 'buttons left' }, beginButton(is.id)))
               : awaited('it');
    }

    return h('div', null,
        h('p', { class: 'lead' }, scanTag(scan), ' ', h('a', {
            href: `#/replications/${encodeURIComponent(is.id)}` },
            'The replication')),
        hasBar(scan) ? scanBar(scan) : null,
        h('div', { class: 'buttons left' }, buttons(scan)),
        h('div', { class: 'two' }, compared(scan), copied(scan)),
        findings(is, scan));
}


/* (of one word, whatever there was: it is not renamed under the pointer) */

function beginButton(id) {
    return h('button', { type: 'button', key: 'new', class: 'main',
                         onclick: () => startScan([id]) }, 'Begin a scan');
}


/* Also when it is done: what stands below stays where it is. */

const hasBar = (scan) => isRunning(scan) || scan.phase === 'done';


function buttons(scan) {
    return [
        isRunning(scan) && scan.state === 'running'
        ? h('button', { type: 'button', key: 'stop',
                        onclick: () => stopScan(scan) }, 'Stop') : null,
        scan.state === 'running' ? null : beginButton(scan.replication),
        scan.kind === 'check' && differences(scan)
        && scan.state !== 'running' ? h('button', {
            type: 'button', key: 'repair',
            onclick: () => startScan([scan.replication], 'repair'),
        }, 'Repair') : null,
    ];
}


/* All of these stay when it ends: what is below is not to move away from the
 * pointer. */

function compared(scan) {
    const is = isRunning(scan);

    return panel('Compared', facts([
        ['What', `${KINDS[scan.kind]}: ${LEVELS[scan.level] || scan.level}`],
        ['Keys on main', count(scan.main)],
        ['Bytes on main', size(scan.bytes)],
        ['Keys on the follower', count(scan.follower)],
        ['Equal', count(scan.equal)],
        ['Different', count(scan.different)],
        ['Missing on the follower', count(scan.missing)],
        ['Only on the follower', count(scan.surplus)],
        ['Changed meanwhile', count(scan.moving)],
        ['Not decided yet', count(scan.undecided)],
        ['Not checked', count(scan.unchecked)],
        ['Keys not compared yet', is ? left(scan) : '–'],
        ['Speed', is ? `${count(scan.keys_per_second)} keys/s` : '–'],
    ]));
}


function left({ remaining, remaining_by: by }) {
    return remaining === null ? 'not known' : [count(remaining),
        h('span', { class: 'soft' }, by ? `, by ${by}` : '')];
}


function copied(scan) {
    const is = isRunning(scan);

    return panel('Done with what differed', facts([
        ['Marked', count(scan.marked)],
        ['Copied', scan.copied ? [`${count(scan.copied)}, `,
                                  size(scan.copied_bytes)]
                               : count(scan.copied)],
        ['Deleted', count(scan.deleted)],
        ['Equal by then', count(scan.unchanged)],
        ['Parked', count(scan.failed)],
        ['Waiting', count(scan.waiting)],
        ['Speed', is ? [`${count(scan.objects_per_second)} objects/s, `,
                        speed(scan.bytes_per_second)] : '–'],
        ['Time left', is ? span(scan.remaining_ms) : '–'],
        ['Begun', moment(scan.started_ms)],
        ['Listed', moment(scan.ended_ms)],
        ['Done', moment(scan.done_ms)],
        ['All found equal', scan.verified_ms ? [moment(scan.verified_ms),
            scan.verified_level ? `, ${scan.verified_level}` : '',
            scan.verified ? ', and nothing was written since' : '']
            : 'not yet'],
    ]));
}


/* ---- the report ---- */


const WHAT = { different: 'Different', missing: 'Missing on the follower',
               surplus: 'Only on the follower', unchecked: 'Not checked' };


function findings(is, scan) {
    const { found } = is;

    const report = reportOf(is.id);

    if (report && (!found || found.id === report.id)) {
        return panel('What it found', collected(report));
    }

    return panel('What it found',
        found === null ? loading()
        : found.differences.length === 0
          ? h('p', { class: 'empty' }, scan.state === 'running'
              ? 'Nothing yet.' : 'No difference is kept of it.')
          : [h('div', { class: 'buttons left' }, h('button', {
                 type: 'button', disabled: is.isSaving,
                 onclick: () => save(is),
             }, is.isSaving ? 'Fetching …' : 'Download the report')),
             lines(found),
             found.differences.length > LINES ? h('p', { class: 'soft' },
                `The first ${LINES} of ${count(found.found)}; the report has `
                + 'all that are kept.') : null],
        found && found.lost ? h('p', { class: 'note' }, `${
            plural(found.lost, 'line')} found no room. A check that this `
            + 'tab collects has all of them.') : null);
}


/* A report that this tab reads as it is written. */

function collected(report) {
    const { state, lines: n, lost, error } = report;

    return [
        h('p', { role: 'status' }, {
            reading: `This tab collects the report: ${plural(n, 'line')} so `
                + 'far. Keep it open.',
            whole: `The report is whole: ${plural(n, 'line')}, which only `
                + 'this tab has.',
            broken: `The report is not whole: ${error}. Of it there are ${
                plural(n, 'line')}.`,
        }[state]),
        state === 'reading' && error ? h('p', { class: 'note' }, error)
                                     : null,
        lost ? h('p', { class: 'note' }, `${plural(lost, 'line')} found no `
            + 'room, since nobody read them for ten minutes.') : null,
        h('div', { class: 'buttons left' }, h('button', {
            type: 'button', disabled: n === 0,
            onclick: () => saveReport(report),
        }, state === 'reading' ? 'Download what is there'
                               : 'Download the report')),
    ];
}


function lines(found) {
    return h('div', { class: 'scroll' }, h('table', { class: 'rows' },
        h('caption', { class: 'unseen' }, 'Differences'),
        h('thead', null, h('tr', null, ['Key', 'What', 'Main', 'Follower']
            .map((word) => h('th', { scope: 'col', key: word }, word)))),
        h('tbody', null, found.differences.slice(0, LINES).map((one) =>
            h('tr', { key: one.n },
                h('td', { 'data-label': 'Key', class: 'wide' },
                  name(one.key)),
                h('td', { 'data-label': 'What' }, WHAT[one.what],
                  one.differs ? h('div', { class: 'soft' },
                                  one.differs.join(', ')) : null,
                  one.code ? h('div', { class: 'soft' },
                               `${one.side}: ${one.code} ${one.reason}`)
                           : null),
                h('td', { 'data-label': 'Main' }, side(one.main)),
                h('td', { 'data-label': 'Follower' },
                  side(one.follower)))))));
}


function side(one) {
    return one ? [one.size === undefined ? null : size(one.size), ' ',
                  one.etag ? h('code', null, one.etag) : null] : '–';
}


/* All lines that are kept, a line of JSON each, as chorusctl writes them. */

async function save(is) {
    const texts = [];
    let last = 0;

    is.isSaving = true;
    is.ctx.redraw();

    try {
        for (;;) {
            const { differences: more } = await get(
                `/scans${path(is.id)}/differences`, { query: { after: last } });

            if (more.length === 0) {
                break;
            }

            texts.push(linesOf(more));
            last = more[more.length - 1].n;
        }

        hand(is.id, new Blob(texts, { type: 'application/x-ndjson' }));
    } finally {
        is.isSaving = false;
        is.ctx.redraw();
    }
}


/* ---- beginning one ---- */


const DOES = {
    migrate: ['Migrate', 'Copies what main has and the follower has not, or '
              + 'not equally.'],
    check: ['Check', 'Compares, and changes nothing.'],
    repair: ['Repair', 'Copies what differs, and names what only the '
             + 'follower has.'],
};


export async function startScan(names, kind = 'check') {
    const done = await ask({
        title: names.length === 1 ? 'Begin a scan'
                                  : `Begin ${count(names.length)} scans`,
        verb: 'Begin', state: { kind, level: 'quick', surplus: false,
                                report: false },
        body: (state, redraw) => form(names, state, redraw),
        run: (state, progress) => each(names, named,
            (one) => begin(one, state), progress),
    });

    return after(done, `Begun: ${plural(names.length, 'scan')}`);
}


async function begin(name, state) {
    const { id } = await call('POST', `/scans${path(name)}`, {
        json: jsonOf(state) });

    if (state.kind === 'check' && state.report) {
        collect(name, id);
    }
}


function named(id) {
    const row = store.byName.get(id);

    return row ? titleOf(row) : id;
}


function jsonOf({ kind, level, surplus, report }) {
    return kind === 'migrate' ? { kind }
           : kind === 'check' ? { kind, level, ...report && { report } }
           : { kind, level: surplus && level === 'quick' ? 'full' : level,
               delete_surplus: surplus };
}


function form(names, state, redraw) {
    const set = (what) => () => {
        Object.assign(state, what);
        redraw();
    };

    return [
        listed(names, named),
        h('fieldset', { key: 'kind' }, h('legend', null, 'What'),
          Object.entries(DOES).map(([kind, [word, help]]) => radio(word, help,
              state.kind === kind, set({ kind })))),
        state.kind === 'migrate' ? null
        : h('fieldset', { key: 'level', class: 'second' },
            h('legend', null, 'How closely'),
            Object.entries(LEVELS).map(([level, help]) => h('label', {
                class: 'option', key: level },
                h('input', { type: 'radio', name: 'level',
                             checked: state.level === level,
                             onchange: set({ level }) }),
                h('span', null, h('strong', null, level), h('br'),
                  h('span', { class: 'soft' }, help))))),
        state.kind === 'check' ? tick('Collect the whole report',
            'Else up to 10,000 lines are kept. This tab reads all of them '
            + 'as they are found, and the check waits for it: keep it open '
            + 'until you have downloaded it.', state.report,
            (e) => set({ report: e.target.checked })()) : null,
        state.kind === 'repair' ? tick('Delete what only the follower has',
            'Main is asked for each key before. It compares in full.',
            state.surplus, (e) => set({ surplus: e.target.checked })())
                                : null,
    ];
}


/* ---- on the page of a replication ---- */


export function scanPanel(row) {
    const { scan } = row;
    const at = `#/scans/${encodeURIComponent(row.replication)}`;

    return panel('Migration and checks',
        !scan || !scan.kind ? h('p', { class: 'empty' },
            scan ? scanWords(scan) : 'Nothing was scanned yet.')
        : [h('p', null, `${KINDS[scan.kind]}, begun `,
             moment(scan.started_ms, true), ': ', scanTag(scan)),
           hasBar(scan) ? scanBar(scan) : null,
           facts([
               ['Keys compared', count(scan.main)],
               ['Differ', count(differences(scan))],
               ['Done with', `${count(finished(scan))} of ${
                   count(scan.marked)} marked`],
               ['Last verified', scan.verified_ms
                   ? moment(scan.verified_ms) : 'never'],
           ])],
        h('div', { class: 'buttons left' },
            scan && scan.kind ? h('a', { class: 'button', href: at },
                                  'All of it') : null,
            scan && scan.state === 'running'
            ? h('button', { type: 'button', onclick: () => stopScan(scan) },
                'Stop')
            : h('button', { type: 'button', onclick: () => startScan(
                [row.replication]) }, 'Begin a scan')));
}
