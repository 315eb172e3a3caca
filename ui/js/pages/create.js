/* A new replication: a short form that says what will happen. */

import { h } from '../dom.js';
import { call, get } from '../api.js';
import { everybody, radio, tick } from '../actions.js';
import { field, loading, name, problem } from '../parts.js';
import { plural } from '../units.js';
import { say } from '../say.js';
import { ONLY_LOOKS, mayChange, refresh, store } from '../store/store.js';
import { go } from '../route.js';

export const title = 'New replication';
export const nav = 'replications';

const PAGE = 500;
const SHOWN = 6;


export function start(ctx) {
    const { query } = ctx.route;
    const is = {
        ctx, users: null, storages: null, buckets: null, bucketsError: null,
        error: null, refused: null, busy: '',
        user: query.user || '', scope: query.bucket ? 'one' : '',
        bucket: query.bucket || '', pattern: '', to: new Set(),
        target: '', prefix: '', migrate: true,
    };

    load(is);

    return {
        view: () => view(is),
        back: () => (is.error ? load(is)
                     : is.bucketsError ? loadBuckets(is) : null),
    };
}


async function load(is) {
    is.error = null;

    try {
        [is.users, is.storages] = await Promise.all([
            get('/users').then((answer) => answer.users),
            get('/storages', { query: { timeout: 3 } })
                .then((answer) => answer.storages)]);
        is.user = is.user || is.users[0]?.name || '*';

        const followers = followersOf(is);

        if (followers.length === 1) {
            is.to.add(followers[0].name);
        }

        loadBuckets(is);
    } catch (error) {
        is.error = error;
    }

    is.ctx.redraw();
}


async function loadBuckets(is) {
    const user = is.user;
    const found = [];
    let after = '';

    Object.assign(is, { buckets: null, bucketsError: null });

    if (user === '*') {
        is.buckets = [];
        return;
    }

    try {
        do {
            const answer = await get('/buckets', {
                query: { user, count: PAGE, after } });

            found.push(...answer.buckets);
            after = answer.next;
        } while (after);
    } catch (error) {
        is.bucketsError = error;
    }

    if (is.user === user) {
        is.buckets = found;
    }

    is.ctx.redraw();
}


function followersOf({ storages, user }) {
    return storages.filter((one) => !one.main
        && (user === '*' || one.users.includes(user)));
}


/* ---- the form ---- */


function view(is) {
    if (is.error) {
        return problem(is.error, () => load(is));
    }

    if (is.users === null) {
        return loading();
    }

    const set = (what) => {
        Object.assign(is, what, { refused: null });
        is.ctx.redraw();
    };

    return h('form', { class: 'form', onsubmit: (e) => submit(e, is) },
        users(is, set), buckets(is, set), followers(is, set),
        more(is, set),
        h('section', { class: 'preview', 'aria-live': 'polite',
                       'aria-label': 'What will happen' },
            h('h2', null, 'What will happen'), preview(is)),
        mayChange() ? null : h('p', { class: 'note' }, ONLY_LOOKS),
        is.refused ? h('p', { class: 'error', role: 'alert' },
                       is.refused.message) : null,
        is.busy ? h('p', { class: 'soft', role: 'status' }, is.busy) : null,
        h('div', { class: 'buttons left' },
            h('button', { type: 'submit', class: 'main',
                          disabled: missing(is).length > 0 || !mayChange()
                                    || Boolean(is.busy) }, 'Create it'),
            h('a', { class: 'button', href: '#/replications' }, 'Cancel')));
}


function users(is, set) {
    return field('User', 'Whose buckets: the Chorus user that clients sign '
        + 'as.', h('select', {
        id: 'user', value: is.user,
        onchange(e) {
            set({ user: e.target.value, bucket: '', to: new Set(
                [...is.to].filter((one) => followersOf({
                    ...is, user: e.target.value }).some(
                    (other) => other.name === one))) });
            loadBuckets(is);
        },
    }, is.users.map((one) => h('option', { value: one.name, key: one.name },
                               one.name)),
       h('option', { value: '*', key: '*' }, 'all users')));
}


function buckets(is, set) {
    const scope = (id) => () => set({ scope: id });

    return h('fieldset', { key: 'buckets' }, h('legend', null, 'Buckets'),
        is.user === '*' ? null : radio('One bucket', oneHelp(is),
                                       is.scope === 'one', scope('one')),
        is.scope === 'one' && is.user !== '*'
        ? field('Bucket', 'A bucket of main, or one to be made later.',
            h('input', { id: 'bucket', value: is.bucket, list: 'bucket-list',
                         spellcheck: 'false', autocomplete: 'off',
                         oninput: (e) => set({ bucket: e.target.value }) }))
        : null,
        h('datalist', { id: 'bucket-list' }, (is.buckets || []).map((one) =>
            h('option', { value: one.name, key: one.name }))),
        radio('All buckets', 'Those that there are, and those that are made '
            + 'later.', is.scope === 'all', scope('all')),
        radio('Buckets by a pattern', 'A regular expression (PCRE2) for '
            + 'their names, also of those that are made later.',
            is.scope === 'pattern', scope('pattern')),
        is.scope === 'pattern'
        ? field('Pattern', 'For example ^logs- for all that begin so.',
            h('input', { id: 'pattern', value: is.pattern,
                         spellcheck: 'false', autocomplete: 'off',
                         oninput: (e) => set({ pattern: e.target.value }) }))
        : null);
}


function oneHelp(is) {
    if (is.bucketsError) {
        return `Main could not be asked for its buckets: ${
            is.bucketsError.message}`;
    }

    return is.buckets === null ? 'Asking main which there are …'
           : `Main has ${plural(is.buckets.length, 'bucket')} of this user.`;
}


function followers(is, set) {
    const list = followersOf(is);

    return h('fieldset', { key: 'followers' },
        h('legend', null, 'Followers'),
        list.length === 0 ? h('p', { class: 'empty' }, 'chorus.json has no '
            + 'follower with credentials of this user.') : null,
        list.map((one) => tick(one.name, `${one.provider}, ${one.endpoint}`,
            is.to.has(one.name), (e) => {
            const to = new Set(is.to);

            if (e.target.checked) {
                to.add(one.name);
            } else {
                to.delete(one.name);
            }

            set({ to });
        })));
}


function more(is, set) {
    return h('fieldset', { key: 'more' }, h('legend', null, 'How'),
        tick('Copy what is there already', 'Otherwise only what changes from '
            + 'now on is copied.', is.migrate,
            (e) => set({ migrate: e.target.checked })),
        field('Another bucket name on the follower',
            is.scope === 'one' ? 'Left empty it has the same name.'
            : 'Left empty they have the same names. {bucket} stands for the '
              + 'name, as in {bucket}-copy.',
            h('input', { id: 'target', value: is.target, spellcheck: 'false',
                         oninput: (e) => set({ target: e.target.value }) })),
        field('Only keys that begin with', 'Left empty all keys are copied.',
            h('input', { id: 'prefix', value: is.prefix, spellcheck: 'false',
                         oninput: (e) => set({ prefix: e.target.value }) })));
}


/* ---- what will happen ---- */


function patternOf(is) {
    switch (is.scope) {
    case 'one':
        return is.user === '*' ? '' : is.bucket;
    case 'all':
        return '*';
    case 'pattern':
        return is.pattern ? `~${is.pattern}` : '';
    default:
        return '';
    }
}


function missing(is) {
    return [
        patternOf(is) ? null : is.scope === 'one' ? 'a bucket'
        : is.scope === 'pattern' ? 'a pattern' : 'which buckets',
        is.to.size ? null : 'a follower',
    ].filter(Boolean);
}


function preview(is) {
    const open = missing(is);

    if (open.length) {
        return h('p', { class: 'soft' }, `Still to say: ${
            open.join(', ')}.`);
    }

    return h('ul', null, [...is.to].map((to) => h('li', { key: to },
        'What is written to ', which(is), ' is copied to ', name(to),
        is.target ? [', into ', name(is.target)] : '',
        is.prefix ? [', keys that begin with ', name(is.prefix)] : '', '.')),
        h('li', { key: 'migrate' }, is.migrate
          ? 'What is there already is copied, too, in the background; it '
            + 'begins within seconds.'
          : 'What is there already is not copied until it changes or '
            + 'somebody begins a migration.'),
        h('li', { key: 'deletes' }, 'Deletes on main are done on the '
          + 'follower as well, up to what its delete guard lets through.'),
        covered(is));
}


function which(is) {
    const whose = is.user === '*' ? 'of all users' : ['of ', name(is.user)];

    return is.scope === 'one' ? ['the bucket ', name(is.bucket), ' ', whose]
           : is.scope === 'all' ? ['all buckets ', whose, ', and those made '
                                   + 'later']
           : ['buckets ', whose, ' that match ', name(is.pattern)];
}


/* A rule set here comes before what files say of the same bucket. */

function covered(is) {
    const some = is.scope === 'all' ? is.buckets || []
                 : (is.buckets || []).filter((one) => is.scope === 'one'
                                             && one.name === is.bucket);
    const files = some.filter((one) => one.replications.some(
        (by) => by.from !== 'dynamic'));
    const both = some.filter((one) => one.replications.some(
        (by) => by.from === 'dynamic'));

    return [
        is.scope === 'all' && is.buckets && is.user !== '*'
        ? h('li', { key: 'now' }, `At the moment these are ${
            plural(some.length, 'bucket')}`, some.length ? ': ' : '.',
            some.slice(0, SHOWN).map((one, i) => [i ? ', ' : '',
                                                  name(one.name)]),
            some.length > SHOWN ? ', …' : '') : null,
        is.scope === 'one' && is.buckets && some.length === 0
        && !is.bucketsError
        ? h('li', { key: 'new' }, 'Main has no such bucket yet.') : null,
        files.length ? h('li', { class: 'warn', key: 'files' },
            'chorus.json or nginx.conf already replicates ',
            files.slice(0, SHOWN).map((one, i) => [i ? ', ' : '',
                                                   name(one.name)]),
            files.length > SHOWN ? ', …' : '',
            '. This rule comes before that: only what is set here will '
            + 'count for them.') : null,
        both.length ? h('li', { key: 'both' }, 'Other rules that are set '
            + 'here already cover ', both.slice(0, SHOWN).map((one, i) =>
            [i ? ', ' : '', name(one.name)]), both.length > SHOWN ? ', …'
            : '', ', and go on doing so.') : null,
    ];
}


/* ---- doing it ---- */


async function submit(e, is) {
    e.preventDefault();

    if (is.busy || missing(is).length) {
        return;
    }

    const json = {
        user: is.user, bucket: patternOf(is), migrate: is.migrate,
        to: [...is.to].map((to) => (is.target ? `${to}:${is.target}` : to)),
    };

    if (is.prefix) {
        json.filter = { prefix: is.prefix };
    }

    Object.assign(is, { busy: 'Creating it …', refused: null });
    is.ctx.redraw();

    try {
        const done = await call('POST', '/replications', { json });

        await everybody((text) => {
            is.busy = text;
            is.ctx.redraw();
        });
        say(done.changed ? `Created: rule ${done.rule.id}`
                         : `That rule is there already: ${done.rule.id}`);
        await refresh();
        leave(is);
    } catch (error) {
        Object.assign(is, { busy: '', refused: error });
        is.ctx.redraw();
    }
}


function leave(is) {
    if (is.ctx.isOver()) {
        return;
    }

    const row = store.rows.find((one) => is.scope === 'one'
        && one.user === is.user && one.bucket === is.bucket
        && is.to.has(one.follower));

    if (row) {
        go('replications', row.replication);
    } else {
        location.hash = '#/rules';
    }
}
