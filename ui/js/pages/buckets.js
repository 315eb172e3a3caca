/* Main's buckets, as a worker lists them now, and what is done with each. */

import { h } from '../dom.js';
import { get } from '../api.js';
import { Table } from '../table.js';
import { choice, loading, name, problem, tag } from '../parts.js';

export const title = 'Buckets';
export const nav = 'buckets';

const PAGE = 500;


export function start(ctx) {
    const is = { ctx, users: null, user: ctx.route.query.user || '',
                 buckets: null, error: null };
    const table = new Table({
        ctx, label: 'buckets', noun: 'bucket', columns: columns(is),
        keyOf: (one) => one.name, nameOf: (one) => one.name,
        textOf: (one) => one.name, empty: 'This user has no bucket on main.',
    });

    load(is);

    return { view: () => view(is, table), back: () => is.error && load(is) };
}


async function load(is) {
    const found = [];
    let after = '';

    Object.assign(is, { error: null, buckets: null });
    is.ctx.redraw();

    try {
        is.users = is.users || (await get('/users')).users;
        is.user = is.user || is.users[0]?.name;

        do {
            const answer = await get('/buckets', {
                query: { user: is.user, count: PAGE, after } });

            found.push(...answer.buckets);
            after = answer.next;
        } while (after);

        is.buckets = found;
    } catch (error) {
        is.error = error;
    }

    is.ctx.redraw();
}


const columns = (is) => [
    { id: 'name', title: 'Bucket', value: (one) => one.name, wide: true,
      cell: (one) => name(one.name) },
    { id: 'route', title: 'Requests go to', value: (one) => one.route.storage,
      cell: (one) => name(one.route.storage) },
    { id: 'to', title: 'Replicated to', wide: true,
      value: (one) => one.replications.length,
      cell: (one) => (one.replications.length === 0
        ? tag('calm', 'not replicated')
        : one.replications.map((by) => h('div', { key: by.follower },
            h('a', { href: `#/replications?q=${
                encodeURIComponent(one.name)}` },
              by.target && by.target !== one.name
              ? `${by.follower}:${by.target}` : by.follower),
            by.paused ? [' ', tag('warn', 'paused')] : '',
            h('span', { class: 'soft' }, ` ${source(by)}`)))) },
    { id: 'new', title: '',
      cell: (one) => h('a', { class: 'button small', href: `#/new?user=${
          encodeURIComponent(is.user)}&bucket=${
          encodeURIComponent(one.name)}`,
          'aria-label': `Replicate ${one.name}` }, 'Replicate') },
];


function source({ from, id }) {
    return { file: 'by chorus.json', location: 'by nginx.conf' }[from]
           || `by the rule ${id}`;
}


function view(is, table) {
    if (is.error) {
        return problem(is.error, () => load(is));
    }

    if (is.users === null) {
        return loading();
    }

    const users = choice('User', is.user, is.users.map(
        (one) => [one.name, one.name]), (user) => {
        is.user = user;
        table.set({ user, page: '' });
        load(is);
    });

    return is.buckets === null
           ? h('div', null, h('div', { class: 'tools' }, users),
               loading('A worker lists them …'))
           : table.view(is.buckets, { filters: users });
}
