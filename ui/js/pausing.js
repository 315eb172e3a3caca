/*
 * Pausing replications and resuming them.  A pause is a rule, of which there
 * are at most a thousand: more replications are paused by lists, of many
 * buckets each.
 */

import { h } from './dom.js';
import { call, path } from './api.js';
import { ask, each } from './dialog.js';
import { after, everybody, leadsTo, listed, placesOf, radio, rulesOf, RULES }
    from './actions.js';
import { listOf, listsOf } from './lists.js';
import { count, plural } from './units.js';
import { name } from './parts.js';
import { titleOf } from './words.js';

const LISTED = 8;


const pauseOf = (row) => ({ user: row.user, bucket: row.bucket,
                            to: row.follower });

const isJust = (rule, row) => rule.user === row.user
    && rule.bucket === row.bucket;

const pausesIt = (rule, row) => rule.user === row.user
    && (!rule.to || rule.to === row.follower)
    && (rule.bucket === row.bucket
        || Boolean(listOf(rule.bucket)?.has(row.bucket)));


/* The pauses to be set: one of each, or lists where these are too many. */

async function pausesFor(rows) {
    const there = await rulesOf('pauses');
    const single = rows.filter((row) => !there.some(
        ({ rule }) => pausesIt(rule, row))).map(pauseOf);

    if (single.length <= RULES - there.length) {
        return single;
    }

    const groups = new Map();

    for (const one of single) {
        const id = JSON.stringify([one.user, one.to]);

        groups.set(id, [...groups.get(id) || [], one]);
    }

    return [...groups.values()].flatMap((some) =>
        listsOf(some.map((one) => one.bucket))
            .map((bucket) => ({ ...some[0], bucket })));
}


export async function pause(rows) {
    const pauses = await pausesFor(rows);
    const done = await ask({
        title: rows.length === 1 ? 'Pause this replication?'
                                 : `Pause ${count(rows.length)} replications?`,
        verb: 'Pause',
        body: () => [
            listed(rows),
            h('p', null, 'Clients go on writing to main. Their changes are '
              + 'noted and wait; nothing is copied or deleted on the '
              + 'follower until somebody resumes it. What is under way '
              + 'ends.'),
            h('p', { class: 'soft' }, rows.length === 1
              ? 'This sets one pause, which “Rules and routes” shows.'
              : pauses.every((one) => !listOf(one.bucket))
              ? 'This sets a pause for each of them, which “Rules and '
                + 'routes” shows.'
              : `There is room for ${count(RULES)} pauses. So this sets ${
                  plural(pauses.length, 'list')} of buckets, which “Rules `
                + 'and routes” shows. Each can be resumed by itself.')],
        run: async (state, progress) => {
            await each(pauses, (one) => one.bucket.slice(0, 60),
                (json) => call('POST', '/pauses', { json }), progress);
            return everybody(progress);
        },
    });

    await after(done, rows.length === 1 ? `Paused: ${titleOf(rows[0])}`
                : `Paused: ${plural(rows.length, 'replication')}`);
}


/* What has to be undone so that it goes on, and what keeps it all the same. */

async function whatPauses(rows) {
    const pauses = await rulesOf('pauses');
    const rules = await rulesOf('replications');
    const steps = new Map();
    const others = [];

    for (const row of rows) {
        const found = stepsOf(row, pauses, rules);

        for (const step of found) {
            const id = `${step.kind} ${step.id}`;
            const of = steps.get(id) || { ...step, buckets: new Set() };

            of.buckets.add(row.bucket);
            steps.set(id, of);
        }

        if (found.length === 0) {
            others.push(row);
        }
    }

    return { steps: [...steps.values()], others };
}


function stepsOf(row, pauses, rules) {
    const of = pauses.filter(({ rule }) => pausesIt(rule, row))
        .map(({ id, rule }) => ({ kind: 'pauses', id, rule,
                                  list: listOf(rule.bucket) }));
    const own = rules.filter((one) => one.paused && isJust(one.rule, row)
                             && leadsTo(one.rule, row))
        .map(({ id, rule }) => ({ kind: 'replications', id, rule }));

    return [...of, ...own];
}


export async function resume(rows) {
    const guarded = rows.filter((row) => row.guard);

    if (guarded.length) {
        return resumeGuarded(guarded);
    }

    const { steps, others } = await whatPauses(rows);
    const done = await ask({
        title: rows.length === 1 ? 'Resume this replication?'
                                 : `Resume ${count(rows.length)} replications?`,
        verb: 'Resume', isReady: () => steps.length > 0,
        body: () => [
            listed(rows),
            steps.length ? [
                h('p', null, `${plural(rows.reduce((n, row) => n + row.dirty
                    + row.bulk, 0), 'key')} that wait will be copied.`),
                h('ul', null, steps.map(stepWords))] : null,
            others.length ? stuck(others) : null],
        run: async (state, progress) => {
            await each(steps, (step) => step.id, undo, progress);
            return everybody(progress);
        },
    });

    return after(done, `Resumed: ${plural(rows.length - others.length,
                                          'replication')}`);
}


function stepWords({ kind, id, rule, list, buckets }) {
    if (list) {
        return h('li', null, `${plural(buckets.size, 'bucket')} of ${
            count(list.size)} `, buckets.size === 1 ? 'is' : 'are',
            ' taken out of the pause ', h('code', null, id),
            ' of ', name(rule.user), rule.to ? [' to ', name(rule.to)] : '',
            '.');
    }

    return kind === 'pauses'
           ? h('li', null, 'The pause ', h('code', null, id), ' of ',
               name(`${rule.user} / ${rule.bucket}`),
               rule.to ? [' to ', name(rule.to)] : ' to all followers',
               ' is deleted.')
           : h('li', null, 'The rule ', h('code', null, id), ' of ',
               name(`${rule.user} / ${rule.bucket}`), ' is resumed, for ',
               placesOf(rule).join(', '), '.');
}


function stuck(others) {
    return h('p', { class: 'note' }, others.length === 1
        ? 'Nothing that is set for just this one pauses it: '
        : `Nothing that is set for just these pauses ${count(others.length)} `
          + 'of them: ',
        'a pause or a rule of a pattern or of more users may. ',
        h('a', { href: '#/rules?tab=pauses' }, 'Rules and routes'),
        ' has all of them.');
}


/* A list that has others is set anew, without these. */

function undo({ kind, id, rule, list, buckets }) {
    const left = [...list || []].filter((one) => !buckets.has(one));

    if (left.length) {
        return call('PUT', `/${kind}${path(id)}`, {
            json: { ...rule, bucket: listsOf(left)[0] } });
    }

    return kind === 'pauses' ? call('DELETE', `/pauses${path(id)}`)
           : call('POST', `/replications${path(id)}/resume`);
}


async function resumeGuarded(rows) {
    const done = await ask({
        title: 'The delete guard has paused this. Go on?',
        verb: 'Go on', tone: 'bad', state: { accept: false },
        body: (state, redraw) => [
            h('ul', { class: 'listed' }, rows.slice(0, LISTED).map((row) =>
                h('li', null, name(titleOf(row)), h('br'), h('span',
                    { class: 'soft' }, row.guard.reason)))),
            rows.length > LISTED ? h('p', { class: 'soft' }, `and ${
                count(rows.length - LISTED)} more`) : null,
            h('fieldset', null, h('legend', null, 'What is right?'),
                radio('Main has been mended', 'What main has again is not '
                    + 'deleted. Where it has not, the next delete pauses it '
                    + 'again.', !state.accept, () => {
                    state.accept = false;
                    redraw();
                }),
                radio('The deletes are right', 'All that was deleted on main '
                    + 'up to now is deleted on the follower, too.',
                    state.accept, () => {
                    state.accept = true;
                    redraw();
                }))],
        run: (state, progress) => each(rows, titleOf, (row) => call('POST',
            `/guards${path(row.replication)}`,
            { json: { accept_deletes: state.accept } }), progress),
    });

    return after(done, `Goes on: ${plural(rows.length, 'replication')}`);
}
