/* Why a key is or is not on a follower. */

import { h } from '../dom.js';
import { get, keyArgument } from '../api.js';
import { facts, field, loading, moment, name, panel, problem, size, span,
         tag } from '../parts.js';
import { retry } from '../actions.js';
import { keep } from '../route.js';

export const title = 'Explain a key';
export const nav = 'explain';


export function start(ctx) {
    const { query } = ctx.route;
    const is = { ctx, users: [], user: query.user || '',
                 bucket: query.bucket || '', key: query.key || '',
                 key16: query.key16, answer: null, error: null,
                 isBusy: false };

    begin(is);

    return { view: () => view(is), back: () => is.error && again(is) };
}


async function begin(is) {
    is.error = null;

    try {
        is.users = (await get('/users')).users;
        is.user = is.user || is.users[0]?.name || '';

        if (is.bucket) {
            look(is);
        }
    } catch (error) {
        is.error = error;
    }

    is.ctx.redraw();
}


const again = (is) => (is.users.length === 0 ? begin(is) : look(is));


/* s3://bucket/a/b or bucket/a/b into the field of the bucket: both of it */

export function split(text) {
    const m = /^(?:s3:\/\/)?([^/]+)\/(.*)$/s.exec(text.trim());

    return m ? { bucket: m[1], key: m[2] } : { bucket: text.trim() };
}


async function look(is) {
    Object.assign(is, split(is.bucket));
    Object.assign(is.ctx.route.query, { user: is.user, bucket: is.bucket,
                                        key: is.key, key16: is.key16 });
    keep(is.ctx.route);
    Object.assign(is, { isBusy: true, error: null, answer: null });
    is.ctx.redraw();

    try {
        is.answer = await get('/explain', {
            query: { user: is.user, bucket: is.bucket },
            rawQuery: keyOf(is) });
    } catch (error) {
        is.error = error;
    }

    is.isBusy = false;
    is.ctx.redraw();
}


/* A key that is no text is one of a link, which has its bytes, until somebody
 * writes another. */

function keyOf({ key, key16 }) {
    const value = keyArgument({ key, key_base16: key16 });

    return value === '' ? '' : `key=${value}`;
}


function view(is) {
    return h('div', null, form(is),
        is.isBusy ? loading('A worker looks at both sides …') : null,
        is.error ? problem(is.error, () => again(is)) : null,
        h('div', { 'aria-live': 'polite' },
          is.answer ? told(is) : null));
}


function form(is) {
    const text = (id, label, help) => field(label, help, h('input', {
        id, value: is[id], spellcheck: 'false', autocomplete: 'off',
        oninput(e) {
            Object.assign(is, { [id]: e.target.value, key16: undefined });
            is.ctx.redraw();
        } }));

    return h('form', { class: 'form row', onsubmit(e) {
        e.preventDefault();
        look(is);
    } },
        field('User', null, h('select', { id: 'user', value: is.user,
            onchange(e) { is.user = e.target.value; is.ctx.redraw(); } },
            is.users.map((one) => h('option', { value: one.name,
                                                key: one.name }, one.name)))),
        text('bucket', 'Bucket', 'or s3://bucket/key'),
        text('key', 'Key', 'empty: the bucket itself'),
        h('button', { type: 'submit', class: 'main',
                      disabled: !is.bucket || is.isBusy }, 'Explain'));
}


function told(is) {
    const { answer } = is;

    return [
        h('p', { class: 'answer', key: 'why' }, answer.why),
        answer.worker.answered ? null : h('p', { class: 'note', key: 'w' },
            `Both sides are not known: ${answer.worker.message}`),
        answer.block ? h('p', { class: 'note', key: 'b' },
            `Requests for the bucket are blocked: ${answer.block.reason}`)
                     : null,
        h('div', { class: 'two', key: 'sides' },
          panel(`On ${answer.route.storage}`, side(answer.source)),
          answer.replications.map((one) => panel(`On ${one.follower}`,
            h('p', null, tag(one.equal ? 'good' : 'warn',
                             one.equal ? 'equal' : 'not equal'), ' ',
              answer.replications.length > 1 ? one.why : ''),
            side(one.there), h('h3', null, 'In the queue'), queue(one),
            one.queue.place === 'parked' ? retried(is, one) : null))),
        answer.replications.length === 0
        ? h('p', { class: 'note', key: 'none' },
            'Nothing replicates this bucket.') : null,
    ];
}


function retried({ key, key16 }, { replication }) {
    const row = { key, key_base16: key16 };

    return h('div', { class: 'buttons left' }, h('button', {
        type: 'button', onclick: () => retry({ replication, row }, [
            'The key ', name(key), ' of ', name(replication),
            ' is tried again.'], 1),
    }, 'Try again'));
}


function side(one) {
    const metadata = Object.entries(one.metadata || {});

    return facts([
        ['State', one.state + (one.reason ? `: ${one.reason}` : '')],
        ['Size', one.size === null ? undefined : size(one.size)],
        ['ETag', one.etag ? h('code', null, one.etag) : undefined],
        ['Last modified', dated(one.last_modified)],
        ['Version', one.version_id ? h('code', null, one.version_id)
                                   : undefined],
        ['Metadata', metadata.length ? h('ul', { class: 'plain' },
            metadata.map(([k, v]) => h('li', { key: k }, h('code', null, k),
                                       ': ', h('bdi', null, v)))) : undefined],
    ]);
}


/* A date as a storage writes it (RFC 9110), in the browser's zone. */

function dated(text) {
    const ms = Date.parse(text);

    return Number.isNaN(ms) ? text || undefined : moment(ms);
}


function queue({ queue: it, replication, paused, takes_key: takes,
                 last_sync: last })
{
    return facts([
        ['Replication', h('a', { href: `#/replications/${
            encodeURIComponent(replication)}` }, name(replication))],
        ['Place', `${it.place}${paused || it.paused ? ', paused' : ''}`],
        ['Takes this key', takes ? 'yes' : 'no, by its filter'],
        ['Last sync', dated(last)],
        ['Since', it.since_ms ? moment(it.since_ms) : undefined],
        ['Waiting for', it.age_ms ? span(it.age_ms) : undefined],
        ['Next attempt in', it.next_in_ms === null ? undefined
                                                   : span(it.next_in_ms)],
        ['Worker', it.worker || undefined],
        ['Attempts that failed', it.attempts || undefined],
        ['Because', it.code ? `${it.code}: ${it.reason}` : undefined],
        ['Held', it.held ? `${it.held}: ${it.held_reason}` : undefined],
        ['Delete guard', it.guarded || undefined],
    ]);
}
