/*
 * What the API says of everything, kept up to date: one for all pages, so that
 * a page that opens has its figures at once.
 *
 *   api          starting, ok, away
 *   redis        up, away, '' (not known)
 *   rows         replications as /status has them, with .rate and .scan
 *   byName       Map of the same
 *   scans        Map: name -> the scan that runs or the last one
 *   at           when that was, by our clock
 */

import { get, pages, now, ApiError } from '../api.js';
import { Poll } from './poll.js';
import { isRunning } from '../words.js';

const STATUS_MS = 2000;
const SLOW_MS = 5000;
const STORAGES_MS = 30000;

const NOTHING = {
    api: 'starting', since: 0, error: null, redis: '', at: 0, version: '',
    rows: [], byName: new Map(), total: 0, totals: null, debt: null,
    policy: null, proxy: null, proxyRate: null,
    scans: new Map(), scansKnown: false, workers: null, mostWorkers: 0,
    token: null,
    storages: null, storagesError: null,
};

export const store = { ...NOTHING };

const watchers = new Set();
const polls = [];


export function watch(run) {
    watchers.add(run);
    return () => watchers.delete(run);
}


export function tell() {
    for (const run of watchers) {
        run();
    }
}


/* onToken: it is not known any more. */

export function begin(onToken) {
    const fail = (e) => {
        if (e.kind === 'token') {
            onToken(e);
        } else {
            failed(e);
        }
    };

    polls.push(
        new Poll(() => STATUS_MS, loadStatus, takeStatus, fail),
        new Poll(scansEvery, loadScans, takeScans, ignore(onToken)),
        new Poll(() => SLOW_MS, loadWorkers, takeWorkers, ignore(onToken)),
        new Poll(() => STORAGES_MS, loadStorages, takeStorages, (e) => {
            store.storagesError = e;
            ignore(onToken)(e);
        }),
    );
}


/* one that runs is looked at by somebody */

function scansEvery() {
    return [...store.scans.values()].some(isRunning) ? STATUS_MS : SLOW_MS;
}


export function end() {
    for (const poll of polls.splice(0)) {
        poll.stop();
    }

    Object.assign(store, NOTHING, { rows: [], byName: new Map(),
                                    scans: new Map() });
}


/* Resolves when it is known what there is. */

export function known() {
    if (store.at !== 0) {
        return Promise.resolve();
    }

    return new Promise((resolve) => {
        const stop = watch(() => {
            if (store.at !== 0) {
                stop();
                resolve();
            }
        });
    });
}


/* Whether the token may change anything: true until it is known not to. */

export const mayChange = () => !store.token || store.token.role !== 'read';

export const ONLY_LOOKS = 'This token may only look: changes need the token '
                          + 'of an admin.';


/* After a change: what there is is asked for at once. */

export async function refresh() {
    dispatchEvent(new Event('chorus-changed'));
    await Promise.allSettled(polls.slice(0, 3).map((poll) => poll.now()));
}


/* Status tells how the API is; the others only have nothing new. */

function ignore(onToken) {
    return (e) => {
        if (e.kind === 'token') {
            onToken(e);
        } else if (!e.kind) {
            console.error(e);       /* an answer that makes no sense */
        }
    };
}


function failed(e) {
    if (e.kind === 'redis' && e.data && e.data.redis === 'away') {
        alive('away');
        store.version = e.data.version;
        takeProxy(e.data.proxy);

    } else {
        store.since = store.api === 'away' ? store.since : now();
        store.api = 'away';
        store.error = e instanceof ApiError ? e : notUnderstood(e);
    }

    tell();
}


function notUnderstood(e) {
    console.error(e);

    return new ApiError('away', `Its answer is not understood: ${e.message}.`);
}


function alive(redis) {
    const wasAway = store.api === 'away' || store.redis === 'away';

    if (store.api === 'away') {
        store.proxyRate = null;
    }

    Object.assign(store, { api: 'ok', error: null, redis });

    if (wasAway && redis === 'up') {
        dispatchEvent(new Event('chorus-back'));
    }
}


/* ---- status ---- */


async function loadStatus(signal) {
    /* whose token it is does not change while it is known */
    store.token = store.token || (await get('', { signal })).token;

    const rows = [];
    let first = null;
    let totals = null;

    await pages('/status', (answer) => {
        first = first || answer;
        rows.push(...answer.queue.replications);
        totals = sum(totals, answer.queue.totals);
        return answer.queue;
    }, { signal });

    return { first, rows, totals };
}


function sum(totals, more) {
    if (totals === null) {
        return { ...more };
    }

    for (const name of Object.keys(more)) {
        totals[name] = name.endsWith('lag_ms')
                       ? Math.max(totals[name], more[name])
                       : totals[name] + more[name];
    }

    return totals;
}


function takeStatus({ first, rows, totals }) {
    const at = performance.now();
    const seconds = (at - store.at) / 1000;
    const isNew = store.redis !== 'up' || store.at === 0;
    const before = store.byName;

    alive('up');

    /* a replication may be on two pages */
    store.byName = new Map(rows.map((row) => [row.replication, row]));
    store.rows = [...store.byName.values()];

    for (const row of store.rows) {
        row.rate = isNew ? null
                         : rates(before.get(row.replication), row, seconds);
        row.scan = store.scans.get(row.replication) || null;
    }

    store.total = first.queue.replications_total;
    store.totals = { ...totals, ...added(store.rows, isNew) };
    store.debt = first.queue.debt;
    store.policy = first.policy;
    store.version = first.version;
    takeProxy(first.proxy, seconds);
    store.at = at;
    tell();
}


function takeProxy(proxy, seconds = 0) {
    const before = store.proxy;

    store.proxy = proxy;
    store.proxyRate = before && seconds > 0
                      && proxy.requests >= before.requests
                      ? (proxy.requests - before.requests) / seconds : null;
}


export const done = (row) => row.counters.synced + row.counters.deleted
                             + row.counters.equal;


function rates(before, row, seconds) {
    if (before === undefined || done(row) < done(before)
        || row.counters.bytes < before.counters.bytes)
    {
        return null;
    }

    return {
        keys: (done(row) - done(before)) / seconds,
        bytes: (row.counters.bytes - before.counters.bytes) / seconds,
    };
}


function added(rows, isNew) {
    const sums = { keys: 0, bytes: 0 };

    for (const row of rows) {
        if (row.rate) {
            sums.keys += row.rate.keys;
            sums.bytes += row.rate.bytes;
        }
    }

    return { rate: isNew ? null : sums };
}


/* ---- the others ---- */


async function loadScans(signal) {
    const scans = [];

    await pages('/scans', (answer) => {
        scans.push(...answer.scans);
        return answer;
    }, { signal });

    return scans;
}


function takeScans(scans) {
    store.scans = new Map(scans.map((scan) => [scan.replication, scan]));
    store.scansKnown = true;

    for (const row of store.rows) {
        row.scan = store.scans.get(row.replication) || null;
    }

    tell();
}


async function loadWorkers(signal) {
    return (await get('/workers', { signal })).workers;
}


/* (an answer that makes no sense throws before anything is kept of it) */

function takeWorkers(workers) {
    store.mostWorkers = Math.max(store.mostWorkers, workers.length);
    store.workers = workers;
    tell();
}


async function loadStorages(signal) {
    return get('/storages', { signal, query: { timeout: 5 } });
}


function takeStorages(answer) {
    store.storages = { ...answer, storages: [...answer.storages] };
    store.storagesError = null;
    tell();
}
