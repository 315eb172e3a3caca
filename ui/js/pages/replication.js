/* One replication: how it goes, what it is made of, what failed. */

import { h } from '../dom.js';
import { get, path } from '../api.js';
import { known, store } from '../store/store.js';
import * as history from '../history.js';
import { count, duration, plural } from '../units.js';
import { awaited, facts, loading, moment, name, panel, size, span, speed,
         stateTag } from '../parts.js';
import { placeOf, stateOf, titleOf, waiting } from '../words.js';
import { remove } from '../actions.js';
import { pause, resume } from '../pausing.js';
import { keysTable, askDrop, askRetry } from './failed.js';
import { scanPanel } from './scan.js';

export const nav = 'replications';

const SAYS_MS = 10000;
const FAILED_MS = 5000;

export function title(route) {
    const row = store.byName.get(route.parts[1]);

    return row ? titleOf(row) : route.parts[1];
}


export function start(ctx) {
    const id = ctx.route.parts[1];
    const is = { ctx, id, says: null, error: null, failed: null, rule: null,
                 hour: history.follow(ctx, id) };

    ctx.poll(SAYS_MS, (signal) => whatIsSaid(id, signal),
             (answer) => Object.assign(is, { ...answer, error: null }),
             (error) => { is.error = error; });
    ctx.poll(FAILED_MS, (signal) => get('/failed', {
        signal, query: { replication: id } }),
             (answer) => { is.failed = answer; });

    return { view: () => view(is) };
}


async function whatIsSaid(id, signal) {
    await known();

    const row = store.byName.get(id);

    if (!row) {
        return {};
    }

    const says = await get('/resolve', {
        signal, query: { user: row.user, bucket: row.bucket } });
    const by = says.replications.find((one) => one.follower === row.follower)
               || null;

    return { says, by, rule: by && by.id
             ? await get(`/replications${path(by.id)}`, { signal })
                 .catch(() => null) : null };
}


function view(is) {
    const row = store.byName.get(is.id);

    if (!row) {
        return store.at === 0 ? awaited('it') : h('div', { class: 'empty' },
            h('p', null, 'There is no replication ', name(is.id), '. It may '
              + 'have been deleted, or nothing was written since its rule '
              + 'was made.'),
            h('a', { href: '#/replications' }, 'All replications'));
    }

    return h('div', null,
        h('p', { class: 'lead' }, stateTag(row), ' ',
          h('span', { class: 'soft' }, stateOf(row).why)),
        h('div', { class: 'buttons left' }, buttons(row)),
        figures(row), trouble(row),
        h('div', { class: 'two' }, history.view(is.hour),
          scanPanel(row)),
        h('div', { class: 'two' }, counters(row), settings(row, is)),
        parked(row, is));
}


function buttons(row) {
    const isPaused = row.state === 'paused' || row.guard;

    return [
        isPaused
        ? h('button', { type: 'button', class: 'main', key: 'resume',
                        onclick: () => resume([row]) }, 'Resume')
        : h('button', { type: 'button', key: 'pause',
                        onclick: () => pause([row]) }, 'Pause'),
        h('button', { type: 'button', class: 'danger',
                      onclick: async () => {
                          if (await remove([row])) {
                              location.hash = '#/replications';
                          }
                      } }, 'Delete'),
        h('a', { class: 'button', href: `#/explain?user=${
            encodeURIComponent(row.user)}&bucket=${
            encodeURIComponent(row.bucket)}` }, 'Explain a key of it'),
    ];
}


function figures(row) {
    const one = (label, value, more) => h('div', { class: 'tile',
                                                   key: label },
        h('h2', null, label), h('p', { class: 'value' }, value),
        h('p', { class: 'soft' }, more));

    return h('section', { class: 'tiles', 'aria-label': 'Figures' },
        one('Lag', span(row.lag_ms), row.lag_ms ? 'the oldest change'
            : 'every change is on the follower'),
        one('Waiting', count(waiting(row)),
            `${count(row.dirty)} changed, ${count(row.bulk)} of scans`),
        one('Copying', speed(row.rate && row.rate.bytes),
            `${count(row.busy)} at this moment`),
        one('To try again', count(row.retry), 'failed, and not given up'),
        one('Parked', count(row.failed), row.failed
            ? `most of them: ${row.parked_for}` : 'no key'));
}


function trouble(row) {
    return [
        row.held ? h('div', { class: 'banner bad', key: 'held' },
            h('strong', null, `Held for ${row.held.code}. `),
            `${row.held.reason}. It is tried again in ${
                duration(row.held.probe_in_ms)}; it was so ${
                plural(row.held.count, 'time')}, the first `,
            moment(row.held.first_ms), '.') : null,
        row.guard ? h('div', { class: 'banner bad', key: 'guard' },
            h('strong', null, 'Paused by the delete guard. '),
            `${row.guard.reason}, `, moment(row.guard.since_ms), '. Look at '
            + 'main before you resume it.') : null,
        row.debt ? h('div', { class: 'banner warn', key: 'debt' },
            h('strong', null, 'It owes a scan '), 'since ',
            moment(row.debt.since_ms), `: ${row.debt.reason}. `,
            row.scan && row.scan.surplus ? 'What is surplus on the follower '
            + 'keeps it open: a repair that deletes surplus pays it.'
            : 'A worker runs that by itself.') : null,
    ];
}


function counters(row) {
    const it = row.counters;

    return panel('Counters', facts([
        ['Copied', `${count(it.synced)} keys`],
        ['Bytes copied', size(it.bytes)],
        ['Deleted', `${count(it.deleted)} keys`],
        ['Equal already', `${count(it.equal)} keys`],
        ['Attempts that failed', count(it.failed_attempts)],
        ['Leases that ran out', count(it.expired)],
        ['Marks dropped', count(it.dropped)],
        ['Since', moment(row.created_ms)],
    ]));
}


function settings(row, is) {
    return panel('Settings', facts([
        ['User', name(row.user)],
        ['Bucket', name(row.bucket)],
        ['Follower', name(placeOf(row))],
        ['Said by', is.error ? is.error.message : saidBy(is)],
        ['Requests of clients go to', is.says ? name(is.says.route.storage)
                                              : undefined],
        ['Blocked', is.says && is.says.block
            ? is.says.block.reason || 'yes' : undefined],
        ...rule(is.rule),
        ['Its name in the API', h('code', null, row.replication)],
    ]));
}


function saidBy({ says, by, rule: one }) {
    if (!says) {
        return 'Asking …';
    }

    if (!by) {
        return 'nobody any more: what waits is still copied';
    }

    return { file: 'chorus.json', location: 'a location of nginx.conf' }
        [by.from] || ['the rule ', h('a', { href: '#/rules' }, by.id),
                      one && one.paused ? ', which is paused' : ''];
}


function rule(one) {
    if (!one) {
        return [];
    }

    const { filter, guard } = one.rule;

    return [
        ['Only keys below', filter && filter.prefix ? name(filter.prefix)
                                                    : undefined],
        ['Only with tags', filter && filter.tags
            ? Object.entries(filter.tags).map(([k, v]) => `${k}=${v}`)
                .join(', ') : undefined],
        ['Delete guard', guard ? JSON.stringify(guard) : undefined],
        ['Migration', one.migrate ? 'what was there is copied, too'
                                  : 'only changes from then on'],
    ];
}


function parked(row, is) {
    return panel('Failed keys',
        is.failed === null ? loading()
        : is.failed.keys.length === 0
          ? h('p', { class: 'empty' }, 'No key is parked.')
          : [keysTable(is.failed.keys, is.ctx, { without: ['replication'] }),
             is.failed.keys.length < row.failed
             ? h('p', { class: 'note' }, `These are ${
                 count(is.failed.keys.length)} of ${count(row.failed)}; `,
                 h('a', { href: '#/failed' }, 'Failed keys'),
                 ' has more of them.') : null,
             h('div', { class: 'buttons left' },
                 h('button', { type: 'button', onclick: () => askRetry({
                     replication: row.replication }, row.failed),
                 }, `Try all ${count(row.failed)} again`),
                 h('button', { type: 'button', class: 'danger',
                               onclick: () => askDrop({
                     replication: row.replication }, row.failed),
                 }, `Forget all ${count(row.failed)}`))]);
}
