/*
 * What is done to replications, each asked for before with what it will be.
 * A replication, as status has it, is of one bucket; what says so is a rule,
 * a location of nginx.conf or chorus.json, and may say so of many.
 */

import { h } from './dom.js';
import { call, get, path, pages, keyArgument } from './api.js';
import { ask, each } from './dialog.js';
import { say } from './say.js';
import { refresh } from './store/store.js';
import { count, plural } from './units.js';
import { name } from './parts.js';
import { titleOf } from './words.js';

const LISTED = 8;
const EVERYBODY_MS = 10000;
const AT_ONCE = 16;             /* requests */
export const RULES = 1000;       /* of a kind, at most */


export const rulesOf = async (kind) => (await get(`/${kind}`, {
    query: { count: RULES } })).rules;


/*
 * Until all proxies and workers run what is set; after a while without those
 * who do not, which are named.  Gives true, also then: it is set.
 */

export async function everybody(progress = () => {}) {
    const end = performance.now() + EVERYBODY_MS;

    for (;;) {
        const { version, behind, readers } = await get('/readers');

        if (behind === 0) {
            return true;
        }

        if (performance.now() > end) {
            sayBehind(readers.filter((one) => one.version !== version));
            return true;
        }

        progress(`Waiting for ${plural(behind, 'process', 'processes')} to `
                 + 'take it …');
        await new Promise((resolve) => setTimeout(resolve, 300));
    }
}


function sayBehind(late) {
    const named = late.slice(0, LISTED).map(
        (one) => `${one.kind} ${one.reader}`).join(', ');

    say(`What was set is not in force everywhere: ${named}${
        late.length > LISTED ? ` and ${count(late.length - LISTED)} more` : ''
        } did not take it within ${EVERYBODY_MS / 1000} seconds, and `
        + `${late.length === 1 ? 'goes' : 'go'} on as before until then.`,
        'bad');
}


/* The names of what something is done to. */

export function listed(rows, nameOf = titleOf) {
    return h('ul', { class: 'listed' },
        rows.slice(0, LISTED).map((row) => h('li', null, name(nameOf(row)))),
        rows.length > LISTED ? h('li', { class: 'soft' }, `and ${
            count(rows.length - LISTED)} more`) : null);
}


export function leadsTo(rule, row) {
    return placesOf(rule).some((place) => place.split(':')[0]
                                          === row.follower);
}


export const placesOf = (rule) => (Array.isArray(rule.to) ? rule.to
                                                          : [rule.to])
    .map((place) => (typeof place === 'string' ? place
                     : `${place.follower}:${place.bucket}`));


export function radio(word, help, isOn, onchange) {
    return h('label', { class: 'option' },
        h('input', { type: 'radio', name: 'option', checked: isOn, onchange }),
        h('span', null, h('strong', null, word), h('br'),
          h('span', { class: 'soft' }, help)));
}


export function tick(word, help, isOn, onchange) {
    return h('label', { class: 'option' },
        h('input', { type: 'checkbox', checked: isOn, onchange }),
        h('span', null, h('strong', null, word), help ? [h('br'),
            h('span', { class: 'soft' }, help)] : null));
}


/* ---- deleting ---- */


/* Who says that these are replicated, as this nginx has it now. */

async function whoSays(rows) {
    const said = [];

    if (rows.length > AT_ONCE) {
        say(`Looking up who replicates ${count(rows.length)} buckets …`);
    }

    for (let i = 0; i < rows.length; i += AT_ONCE) {
        said.push(...await Promise.all(rows.slice(i, i + AT_ONCE)
            .map(saysOf)));
    }

    return said;
}


async function saysOf(row) {
    const { replications } = await get('/resolve', {
        query: { user: row.user, bucket: row.bucket } });

    return { row, by: replications.find(
        (one) => one.follower === row.follower) || null };
}


async function planOf(rows) {
    const rules = new Map((await rulesOf('replications'))
        .map((one) => [one.id, one]));
    const plan = { rules: [], wide: [], file: [], gone: [] };
    const seen = new Set();

    for (const { row, by } of await whoSays(rows)) {
        const rule = by && by.id ? rules.get(by.id) : null;

        if (by === null) {
            plan.gone.push(row);
        } else if (!rule) {
            plan.file.push({ row, from: by.from });
        } else if (rule.rule.user === row.user
                   && rule.rule.bucket === row.bucket
                   && placesOf(rule.rule).length === 1)
        {
            plan.rules.push({ row, rule });
        } else if (!seen.has(rule.id)) {
            seen.add(rule.id);
            plan.wide.push(rule);
        }
    }

    return plan;
}


export async function remove(rows) {
    const plan = await planOf(rows);
    const ends = [...plan.rules.map(({ row }) => row), ...plan.gone];
    const waits = ends.reduce((n, row) => n + row.dirty + row.bulk
                                          + row.retry + row.failed, 0);
    const done = await ask({
        title: removeTitle(ends.length, rows.length),
        verb: 'Delete', tone: 'bad', isReady: () => ends.length > 0,
        state: { forget: plan.rules.length === 0 },
        body: (state, redraw) => removeWords(plan, waits, state, redraw),
        run: (state, progress) => removeAll(plan, state, progress),
    });

    return after(done, done && removedWords(done));
}


/* Of those that were chosen, how many this can end. */

function removeTitle(ends, all) {
    if (ends === 0) {
        return all === 1 ? 'This replication cannot be deleted here'
                         : 'None of these can be deleted here';
    }

    return all === 1 ? 'Delete this replication?'
           : ends === all ? `Delete ${count(all)} replications?`
           : `Delete ${count(ends)} of ${count(all)} replications?`;
}


/* What is true by then: the API has only asked to forget a queue. */

function removedWords({ rules, queues, kept }) {
    return [
        rules ? `${plural(rules, 'rule')} deleted.` : '',
        queues ? `Workers are asked to forget ${plural(queues, 'queue')}, `
                 + 'which takes them up to a minute; the audit log says what '
                 + 'came of it.' : '',
        kept ? 'What waits is still copied, and the list keeps '
               + `${kept === 1 ? 'it' : 'them'} until forgotten, too.` : '',
    ].filter(Boolean).join(' ');
}


function removeWords(plan, waits, state, redraw) {
    return [
        plan.rules.length ? [
            h('p', null, 'Their rules are deleted; new changes are no longer '
              + 'replicated by them. What is on the follower stays there.'),
            h('ul', { class: 'listed' }, plan.rules.slice(0, LISTED).map(
                ({ row, rule }) => h('li', null, name(titleOf(row)),
                    ', rule ', h('code', null, rule.id))),
              plan.rules.length > LISTED ? h('li', { class: 'soft' }, `and ${
                  count(plan.rules.length - LISTED)} more`) : null)] : null,
        plan.gone.length ? [h('p', null, 'No rule leads there any more; '
            + 'workers are asked to forget their queue and counters:'),
            listed(plan.gone)] : null,
        plan.rules.length ? tick('Also forget what waits',
            `${plural(waits, 'key')} that wait are not copied any more, and `
            + 'the counters are gone, once all workers agree. Otherwise '
            + 'they are still copied.',
            state.forget, (e) => {
            state.forget = e.target.checked;
            redraw();
        }) : null,
        plan.wide.length ? h('div', { class: 'note' }, h('p', null,
            'Not deleted here, since these rules cover more than that:'),
            h('ul', null, plan.wide.map((rule) => h('li', null,
                h('a', { href: '#/rules' }, rule.id), ' ',
                name(`${rule.rule.user} / ${rule.rule.bucket} → ${
                    placesOf(rule.rule).join(', ')}`))))) : null,
        plan.file.length ? h('div', { class: 'note' }, h('p', null,
            'Not deleted here, since a file says so, which only its owner '
            + 'can change:'),
            h('ul', null, plan.file.slice(0, LISTED).map(({ row, from }) =>
                h('li', null, name(titleOf(row)), from === 'file'
                  ? ', chorus.json' : ', a location of nginx.conf')))) : null,
    ];
}


async function removeAll(plan, state, progress) {
    await each(plan.rules, ({ row }) => titleOf(row), ({ rule }) =>
        call('DELETE', `/replications${path(rule.id)}`), progress);

    const queues = [...plan.gone, ...(state.forget
        ? plan.rules.map(({ row }) => row) : [])];

    if (queues.length && plan.rules.length) {
        await everybody(progress);
    }

    await each(queues, titleOf, (row) => call('DELETE',
        `/queues${path(row.replication)}`), progress);

    return { rules: plan.rules.length, queues: queues.length,
             kept: state.forget ? 0 : plan.rules.length };
}


/* ---- keys that are parked ---- */


/* what: { replication, reason, row: one key } */

export async function retry(what, words, number) {
    const done = await ask({
        title: 'Try again?', verb: 'Try again',
        body: () => [h('p', null, words),
            h('p', { class: 'soft' }, 'Each goes back into its queue and is '
              + 'copied again from what main has now. What fails again is '
              + 'parked again.')],
        run: async (state, progress) => {
            let moved = 0;

            await passes('POST', '/retry', what, (answer) => {
                moved += answer.moved;
                progress(`${count(moved)} of ${count(number)} …`);
            });

            return { moved };
        },
    });

    return after(done, done && `${plural(done.moved, 'key')} put back into `
                 + `${done.moved === 1 ? 'its' : 'their'} queue.`);
}


export async function drop(what, words) {
    const done = await ask({
        title: 'Forget parked keys?', verb: 'Forget', tone: 'bad',
        body: () => [h('p', null, words),
            h('p', { class: 'soft' }, 'The follower stays as it is until a '
              + 'key changes again or a repair finds it.')],
        run: async (state, progress) => {
            let dropped = 0;

            await passes('DELETE', '/failed', {
                ...what, all: what.replication ? undefined : 'true' },
                (answer) => {
                    dropped += answer.dropped;
                    progress(`${count(dropped)} …`);
                });

            return { dropped };
        },
    });

    return after(done, done && `${plural(done.dropped, 'key')} forgotten.`);
}


function passes(method, at, { replication, reason, row, all }, take) {
    return pages(at, (answer) => {
        take(answer);
        return answer;
    }, { method, query: { replication, reason, all },
         rawQuery: row ? `key=${keyArgument(row)}` : '' });
}


/* ---- scans ---- */


export async function stopScan(scan) {
    const done = await ask({
        title: 'Stop this?', verb: 'Stop',
        body: () => [h('p', null, `The ${scan.kind} of `,
                       name(scan.replication), ' ends.'),
            h('p', { class: 'soft' }, 'What it has marked is copied all the '
              + 'same. It can be begun again, from the start.')],
        run: () => call('DELETE', `/scans${path(scan.replication)}`),
    });

    return after(done, 'Stopped.');
}


export async function after(done, words) {
    if (done) {
        say(words);
        await refresh();
    }

    return done;
}
