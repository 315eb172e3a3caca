/* What was set at run time: replications, routes, blocks, pauses. */

import { h } from '../dom.js';
import { call, get, path } from '../api.js';
import { ask } from '../dialog.js';
import { after, everybody, placesOf, rulesOf, tick } from '../actions.js';
import { field, loading, moment, name, problem, tabs, tag } from '../parts.js';
import { Table } from '../table.js';

export const title = 'Rules and routes';
export const nav = 'rules';

const EVERY_MS = 5000;

const TABS = [['replications', 'Replications'], ['routes', 'Routes'],
              ['blocks', 'Blocks'], ['pauses', 'Pauses']];

const ABOUT = {
    replications: 'What is replicated because somebody has set it here. '
        + 'These come before nginx.conf, and that before chorus.json.',
    routes: 'Buckets whose requests go to another storage than main.',
    blocks: 'Buckets whose requests are refused with 503.',
    pauses: 'Changes of these are noted and wait.',
};


export function start(ctx) {
    const is = { ctx, rules: null, error: null, tables: {},
                 kind: ctx.route.query.tab || 'replications' };

    is.poll = ctx.poll(EVERY_MS, () => rulesOf(is.kind), (rules) => {
        is.rules = rules;
        is.error = null;
    }, (error) => { is.error = error; });

    return { view: () => view(is) };
}


/* ---- the tables ---- */


const first = [
    { id: 'bucket', title: 'Bucket', wide: true,
      value: (one) => one.rule.bucket, cell: (one) => name(one.rule.bucket) },
    { id: 'user', title: 'User', value: (one) => one.rule.user,
      cell: (one) => name(one.rule.user) },
];

const last = (is) => [
    { id: 'id', title: 'Id', value: (one) => one.id,
      cell: (one) => h('code', null, one.id) },
    { id: 'since', title: 'Changed', num: true, down: true,
      value: (one) => one.version,
      cell: (one) => moment(one.version / 1000, true) },
    { id: 'do', title: '', cell: (one) => h('span', { class: 'nowrap' },
        is.kind === 'replications' ? [h('button', {
            type: 'button', class: 'small',
            'aria-label': `${one.paused ? 'Resume' : 'Pause'} ${one.id}`,
            onclick: () => turn(is, one),
        }, one.paused ? 'Resume' : 'Pause'), ' '] : null,
        h('button', { type: 'button', class: 'small danger',
                      'aria-label': `Delete ${one.id}`,
                      onclick: () => remove(is, one) }, 'Delete')) },
];

const MIDDLE = {
    replications: [
        { id: 'to', title: 'To', value: (one) => placesOf(one.rule).join(),
          cell: (one) => name(placesOf(one.rule).join(', ')) },
        { id: 'state', title: 'State', value: (one) => String(one.paused),
          cell: (one) => (one.paused ? tag('warn', 'Paused')
                                     : tag('good', 'Active')) },
        { id: 'how', title: 'How', cell: (one) => howWords(one) },
    ],
    routes: [
        { id: 'storage', title: 'Goes to', value: (one) => one.rule.storage,
          cell: (one) => name(one.rule.storage) },
    ],
    blocks: [
        { id: 'reads', title: 'Refused',
          value: (one) => String(Boolean(one.rule.reads)),
          cell: (one) => (one.rule.reads ? 'writes' : 'all requests') },
        { id: 'reason', title: 'Clients are told', wide: true,
          value: (one) => one.rule.reason || '',
          cell: (one) => (one.rule.reason ? name(one.rule.reason) : '–') },
    ],
    pauses: [
        { id: 'to', title: 'To', value: (one) => one.rule.to || '',
          cell: (one) => (one.rule.to ? name(one.rule.to)
                                      : 'all followers') },
    ],
};


function howWords({ rule, migrate }) {
    const { filter, guard } = rule;

    return [
        migrate ? 'with what was there' : 'from then on',
        filter && filter.prefix ? [', keys of ', name(filter.prefix)] : '',
        filter && filter.tags ? ', by tags' : '',
        guard === null || guard === false ? ', no delete guard' : '',
    ];
}


function tableOf(is) {
    is.tables[is.kind] = is.tables[is.kind] || new Table({
        ctx: is.ctx, label: is.kind, noun: is.kind.slice(0, -1),
        sort: 'bucket.up',
        columns: [...first, ...MIDDLE[is.kind], ...last(is)],
        keyOf: (one) => one.id, nameOf: (one) => one.id,
        textOf: (one) => `${one.id} ${JSON.stringify(one.rule)}`,
        empty: 'None is set.',
    });

    return is.tables[is.kind];
}


function view(is) {
    const choose = (kind) => {
        Object.assign(is, { kind, rules: null });
        is.ctx.route.query = {};
        tableOf(is).set({ tab: kind });
        is.poll.now();
    };

    return h('div', null,
        tabs('Which', TABS, is.kind, choose),
        h('p', { class: 'lead' }, h('span', null, ABOUT[is.kind]),
          is.kind === 'replications'
          ? h('a', { class: 'button main', href: '#/new' },
              'New replication')
          : h('button', { type: 'button', class: 'main',
                          onclick: () => FORMS[is.kind](is) },
              `New ${is.kind.slice(0, -1)}`)),
        is.error ? problem(is.error) : null,
        is.rules === null ? is.error ? null : loading()
                          : h('div', { key: is.kind },
                              tableOf(is).view(is.rules)));
}


/* ---- what is done ---- */


async function turn(is, one) {
    const verb = one.paused ? 'Resume' : 'Pause';
    const at = `/replications${path(one.id)}/${verb.toLowerCase()}`;
    const answer = await ask({
        title: `${verb} this rule?`, verb,
        body: () => [
            h('p', null, 'The rule ', h('code', null, one.id), ' of ',
              name(`${one.rule.user} / ${one.rule.bucket}`), ' to ',
              name(placesOf(one.rule).join(', ')), '.'),
            h('p', { class: 'soft' }, one.paused
              ? 'What has waited is copied from then on.'
              : 'Changes of all buckets it covers are noted and wait.')],
        run: async (state, progress) => {
            await call('POST', at);
            return everybody(progress);
        },
    });

    return after(answer, `${verb}d: ${one.id}`);
}


const GONE = {
    replications: 'What it covers is no longer replicated by it. What waits '
        + 'is still copied, and what is on the follower stays there.',
    routes: 'Requests for it go to main again, or where another rule or a '
        + 'file says. Nothing is moved between the storages.',
    blocks: 'Requests for it are served again.',
    pauses: 'What has waited is copied from then on.',
};


async function remove(is, one) {
    const { kind } = is;
    const answer = await ask({
        title: `Delete this ${kind.slice(0, -1)}?`, verb: 'Delete',
        tone: 'bad',
        body: () => [
            h('p', null, h('code', null, one.id), ' of ',
              name(`${one.rule.user} / ${one.rule.bucket}`), '.'),
            h('p', { class: 'soft' }, GONE[kind])],
        run: async (state, progress) => {
            await call('DELETE', `/${kind}${path(one.id)}`);
            return everybody(progress);
        },
    });

    return after(answer, `Deleted: ${one.id}`);
}


/* ---- new ones ---- */


async function choices() {
    const [users, storages] = await Promise.all([
        get('/users'), get('/storages', { query: { timeout: 3 } })]);

    return { users: users.users.map((one) => one.name),
             storages: storages.storages };
}


function whose(state, users, redraw) {
    return [
        field('User', null, h('select', { id: 'd-user', value: state.user,
            onchange(e) { state.user = e.target.value; redraw(); } },
            users.map((one) => h('option', { value: one, key: one }, one)),
            h('option', { value: '*', key: '*' }, 'all users'))),
        field('Bucket', 'A name, * for all, or ~ and a pattern.',
            h('input', { id: 'd-bucket', value: state.bucket,
                         spellcheck: 'false', autocomplete: 'off',
                         oninput(e) {
                             state.bucket = e.target.value;
                             redraw();
                         } })),
    ];
}


function select(label, id, state, list, redraw) {
    return field(label, null, h('select', { id: `d-${id}`, value: state[id],
        onchange(e) { state[id] = e.target.value; redraw(); } },
        list.map(([value, word]) => h('option', { value, key: value },
                                      word))));
}


const subject = (state) => h('strong', null, name(`${state.user} / ${
    state.bucket || '…'}`));


const FORMS = {
    async routes(is) {
        const { users, storages } = await choices();

        return create(is, { user: users[0], bucket: '',
                            storage: storages.find((one) => !one.main)?.name
                                     || '' },
            (state, redraw) => [
                whose(state, users, redraw),
                select('Storage', 'storage', state, storages.map(
                    (one) => [one.name, one.name]), redraw),
                h('p', null, 'Requests of clients for ', subject(state),
                  ' go to ', name(state.storage || '…'), '. What is on main '
                  + 'of it is not seen any more; nothing is moved.')],
            ({ user, bucket, storage }) => ({ user, bucket, storage }));
    },

    async blocks(is) {
        const { users } = await choices();

        return create(is, { user: users[0], bucket: '', reason: '',
                            reads: false },
            (state, redraw) => [
                whose(state, users, redraw),
                field('Clients are told', 'Up to 256 bytes.', h('input', {
                    id: 'd-reason', value: state.reason,
                    oninput(e) { state.reason = e.target.value; redraw(); },
                })),
                tick('Let reads pass', null, state.reads, (e) => {
                    state.reads = e.target.checked;
                    redraw();
                }),
                h('p', null, state.reads ? 'Writes to ' : 'All requests for ',
                  subject(state), ' get 503.')],
            ({ user, bucket, reason, reads }) => ({
                user, bucket, reads, ...(reason ? { reason } : {}) }));
    },

    async pauses(is) {
        const { users, storages } = await choices();

        return create(is, { user: users[0], bucket: '', to: '' },
            (state, redraw) => [
                whose(state, users, redraw),
                select('To', 'to', state, [['', 'all followers'],
                    ...storages.filter((one) => !one.main)
                        .map((one) => [one.name, one.name])], redraw),
                h('p', null, 'Changes of ', subject(state), ' are noted and '
                  + 'wait', state.to ? [' for ', name(state.to)] : '', '.')],
            ({ user, bucket, to }) => ({ user, bucket,
                                         ...(to ? { to } : {}) }));
    },
};


async function create(is, state, body, jsonOf) {
    const { kind } = is;
    const word = kind.slice(0, -1);
    const answer = await ask({
        title: `New ${word}`, verb: 'Set it', state, body,
        isReady: (now) => now.bucket !== '',
        run: async (now, progress) => {
            const made = await call('POST', `/${kind}`, { json: jsonOf(now) });

            await everybody(progress);
            return made;
        },
    });

    return after(answer, answer && (answer.changed
        ? `Set: ${word} ${answer.rule.id}`
        : `That ${word} is there already: ${answer.rule.id}`));
}
