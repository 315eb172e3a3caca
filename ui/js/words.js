/*
 * What figures of the API mean, in words: the state of a replication, how far
 * a scan is, what needs a person.  No element is made here.
 */

import { count, duration, plural } from './units.js';

const LAG_MS = 300000;          /* longer is told, as chorusctl dash does */
const NAMED = 3;                /* of several, so many by name */


/* ---- a replication ---- */


/* keys of it that are on the way, or to be */

export const waiting = (row) => row.dirty + row.bulk + row.busy + row.again
                                + row.retry;


/* { id, word, tone: good|busy|calm|warn|bad, why }; the gravest comes first */

export function stateOf(row) {
    if (row.guard) {
        return state('guarded', 'Guarded', 'bad',
                     `Paused by the delete guard: ${row.guard.reason}`);
    }

    if (row.held) {
        return state('held', 'Held', 'bad',
                     `${row.held.code}: ${row.held.reason}`);
    }

    if (row.failed > 0) {
        return state('parked', 'Parked keys', 'bad',
                     `${plural(row.failed, 'key')} parked, most of them `
                     + `for ${row.parked_for}`);
    }

    if (row.state === 'paused') {
        return state('paused', 'Paused', 'warn',
                     'Changes are noted and wait.');
    }

    if (isMigrating(row.scan)) {
        return state('migrating', 'Migrating', 'busy',
                     'What was there before is being copied.');
    }

    if (row.retry > 0) {
        return state('retrying', 'Retrying', 'warn',
                     `${plural(row.retry, 'key')} to be tried again`);
    }

    if (row.debt) {
        return state('owes', 'Owes a scan', 'warn', row.debt.reason);
    }

    if (waiting(row) > 0) {
        return state('copying', 'Copying', 'busy',
                     `${plural(waiting(row), 'key')} on the way`);
    }

    return state('calm', 'Up to date', 'good', 'Nothing waits.');
}


function state(id, word, tone, why) {
    return { id, word, tone, why };
}


export const STATES = [
    ['guarded', 'Guarded'], ['held', 'Held'], ['parked', 'Parked keys'],
    ['paused', 'Paused'], ['migrating', 'Migrating'],
    ['retrying', 'Retrying'], ['owes', 'Owes a scan'],
    ['copying', 'Copying'], ['calm', 'Up to date'],
];


/* photos -> f1:copy, as a person says it */

export function titleOf(row) {
    return `${alone(row.user)} / ${alone(row.bucket)} → ${
        alone(placeOf(row))}`;
}


/* A name that might turn around what stands beside it keeps to itself: first
 * strong isolate, pop directional isolate. */

function alone(text) {
    return /^[\x20-\x7e]*$/.test(text) ? text : `\u2068${text}\u2069`;
}


export function placeOf(row) {
    return row.target && row.target !== row.bucket
           ? `${row.follower}:${row.target}` : row.follower;
}


/* ---- scans ---- */


export const isRunning = (scan) => scan !== null && scan !== undefined
    && (scan.phase === 'listing' || scan.phase === 'copying');

const isMigrating = (scan) => isRunning(scan) && scan.kind !== 'check';

export const KINDS = { migrate: 'Migration', check: 'Check',
                       repair: 'Repair' };

export const LEVELS = {
    quick: 'sizes and ETags as they are listed',
    full: 'also metadata, tags, ACLs and locks',
    content: 'also every byte',
};


/* 0 to 1; null where nothing says how much is left */

export function progressOf(scan) {
    if (scan.phase === 'done') {
        return 1;
    }

    if (scan.phase === 'copying') {
        const over = finished(scan);

        return over + scan.waiting > 0 ? over / (over + scan.waiting) : null;
    }

    if (scan.phase === 'listing' && Number.isInteger(scan.remaining)
        && scan.main + scan.remaining > 0)
    {
        return scan.main / (scan.main + scan.remaining);
    }

    return null;
}


export function finished(scan) {
    return scan.copied + scan.deleted + scan.unchanged + scan.failed;
}


export function differences(scan) {
    return (scan.different || 0) + (scan.missing || 0) + (scan.surplus || 0);
}


export function scanWords(scan) {
    switch (scan.phase) {
    case 'listing':
        return `comparing: ${count(scan.main)} keys so far`;
    case 'copying':
        return `copying: ${count(scan.waiting)} left`;
    case 'done':
        return scan.kind === 'check' ? checkWords(scan) : 'done';
    case 'failed':
        return `failed: ${scan.reason || 'no reason is known'}`;
    case 'stopped':
        return 'stopped';
    case 'skipped':
        return scan.reason ? `skipped: ${scan.reason}` : 'no migration wanted';
    default:
        return scan.phase;
    }
}


function checkWords(scan) {
    const n = differences(scan);

    return n ? `found ${plural(n, 'difference')}`
           : scan.unchecked ? `${plural(scan.unchecked, 'key')} not checked`
                            : 'found no difference';
}


/* ---- what needs a person ---- */


/* [{ tone, text, detail, to }], the gravest first; `to` is a page */

export function needs(store) {
    const found = [...ofProxy(store), ...ofWorkers(store),
                   ...ofReplications(store), ...ofStorages(store),
                   ...ofPolicy(store), ...ofScans(store)];

    return found.sort((a, b) => (a.tone === 'bad' ? 0 : 1)
                                - (b.tone === 'bad' ? 0 : 1));
}


function need(tone, text, detail, to) {
    return { tone, text, detail, to };
}


function ofProxy({ redis, proxy }) {
    const found = [];
    const journal = proxy && proxy.journal;

    if (redis === 'away') {
        found.push(need('bad', 'Redis cannot be reached.',
            'Clients are served and nothing is lost while the journal takes '
            + `it; nothing is replicated. ${plural(proxy.waiting, 'key')} `
            + `wait${proxy.waiting === 1 ? 's' : ''} for it`
            + (proxy.waiting ? `, the oldest for ${
                duration(proxy.waiting_ms)}.` : '.')));
    }

    if (journal && journal.state && journal.state !== 'good') {
        found.push(need('bad', `The journal takes nothing: it is ${
            journal.state}.`,
            'A write that Redis has not heard of could be lost with the '
            + 'process. Look at the disk of chorus_journal.'));
    }

    if (proxy && proxy.lost > 0) {
        found.push(need('bad', `${plural(proxy.lost, 'mark')} lost.`,
                        'This proxy could not note changed keys. A check '
                        + 'tells what differs.', '#/scans'));
    }

    return found;
}


function ofWorkers({ workers, mostWorkers, redis }) {
    if (redis !== 'up' || workers === null) {
        return [];
    }

    if (workers.length === 0) {
        return [need('bad', 'No worker runs: nothing is replicated.',
                     'Start chorus-worker. Changes are noted meanwhile.')];
    }

    return workers.length < mostWorkers
           ? [need('warn', `${plural(workers.length, 'worker')}, there were ${
               mostWorkers}.`, 'The others share the work.')]
           : [];
}


function names(rows) {
    const first = rows.slice(0, NAMED).map(titleOf).join('; ');
    const more = rows.length - NAMED;

    return more > 0 ? `${first}; and ${count(more)} more` : first;
}


function ofReplications({ rows, totals }) {
    const found = [];
    const add = (tone, list, text, detail, to) => {
        if (list.length) {
            found.push(need(tone, text, detail, to));
        }
    };
    const guarded = rows.filter((row) => row.guard);
    const held = rows.filter((row) => row.held);
    const parked = rows.filter((row) => row.failed);
    const one = (list, word) => `${plural(list.length, 'replication')} ${
        list.length === 1 ? 'is' : 'are'} ${word}`;

    add('bad', guarded, `${one(guarded, 'paused by the delete guard')}.`,
        `Too much was deleted on main: say whether that is right. ${
            names(guarded)}`, '#/replications?state=guarded');
    add('bad', held, `${one(held, 'held')}: a storage refuses.`,
        `${held.length ? held[0].held.code : ''}: ${names(held)}`,
        '#/replications?state=held');
    add('bad', parked, totals ? `${plural(totals.failed, 'key')} ${
        totals.failed === 1 ? 'is' : 'are'} parked.` : '',
        `Copying them failed for a cause that needs mending: ${
            names(parked)}`, '#/failed');

    if (totals && totals.lag_ms > LAG_MS) {
        const oldest = rows.reduce((a, b) => a.lag_ms > b.lag_ms ? a : b);

        found.push(need('warn', `The oldest change has waited for ${
            duration(totals.lag_ms)}.`, titleOf(oldest),
            `#/replications/${encodeURIComponent(oldest.replication)}`));
    }

    return found;
}


function ofStorages({ storages }) {
    const words = { refusing: 'refuses the credentials',
                    failing: 'answers with errors',
                    silent: 'does not answer' };

    return (storages ? storages.storages : [])
        .filter(({ health }) => health.state in words)
        .map(({ name, main, health }) => need('bad',
            `${main ? 'Main, ' : ''}${name}, ${words[health.state]}.`,
            health.reason, '#/limits'));
}


function ofPolicy({ policy }) {
    if (!policy) {
        return [];
    }

    const found = policy.readers.filter((reader) => reader.error)
        .map((reader) => need('bad',
            `${reader.reader} does not take the rules that are set.`,
            reader.error, '#/rules'));

    if (policy.rules === 'mixed') {
        found.push(need('warn', 'Proxies and workers have different rules in '
            + 'chorus.json.', 'Reload all of them with the same file. What a '
            + 'filter leaves out waits until then.'));
    }

    return found;
}


function ofScans({ scans }) {
    const list = [...scans.values()];
    const failed = list.filter((scan) => scan.phase === 'failed');
    const differ = list.filter((scan) => scan.kind === 'check'
                               && scan.phase === 'done' && differences(scan));
    const name = (some) => some.slice(0, NAMED)
        .map((scan) => scan.replication).join('; ');
    const found = [];

    if (failed.length) {
        found.push(need('bad', `${plural(failed.length, 'scan')} failed.`,
                        `${name(failed)}: ${failed[0].reason || ''}`,
                        '#/scans?phase=failed'));
    }

    if (differ.length) {
        found.push(need('warn', `${plural(differ.length, 'check')} found `
                        + 'differences.', name(differ), '#/scans'));
    }

    return found;
}
