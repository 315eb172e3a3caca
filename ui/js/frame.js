/* What stands around each page: where one can go, and how Chorus is. */

import { h } from './dom.js';
import { needs } from './words.js';
import { count, ago } from './units.js';
import { now } from './api.js';
import { dot, moment } from './parts.js';

const PLACES = [
    ['overview', '#/', 'Overview'],
    ['replications', '#/replications', 'Replications'],
    ['buckets', '#/buckets', 'Buckets'],
    ['rules', '#/rules', 'Rules and routes'],
    ['limits', '#/limits', 'Storages and limits'],
    ['scans', '#/scans', 'Migrations and checks'],
    ['failed', '#/failed', 'Failed keys'],
    ['explain', '#/explain', 'Explain a key'],
    ['audit', '#/audit', 'Audit'],
];

let isOpen = false;             /* the list of places, on a narrow screen */

addEventListener('hashchange', () => { isOpen = false; });


export function frame({ title, nav, store, theme, leave, redraw, banner,
                        content })
{
    const isShort = nav === 'overview';

    return [
        h('a', { class: 'skip', href: '#main', onclick: toMain },
          'To the content'),
        h('header', { class: 'top' },
            h('a', { class: 'brand', href: '#/' }, mark(), 'Chorus'),
            h('p', { class: 'health' }, health(store)),
            h('button', { type: 'button', class: 'menu',
                          'aria-expanded': String(isOpen),
                          'aria-controls': 'places',
                          onclick() { isOpen = !isOpen; redraw(); } },
              'Menu')),
        h('nav', { id: 'places', class: isOpen ? 'places open' : 'places',
                   'aria-label': 'Pages' },
            h('ul', null, PLACES.map(([id, href, word]) => h('li', null,
                h('a', { href, 'aria-current': id === nav ? 'page' : null },
                  word, badge(id, store))))),
            h('div', { class: 'foot' },
                h('button', { type: 'button', class: 'plain',
                              onclick() { theme.next(); redraw(); } },
                  theme.words()),
                h('button', { type: 'button', class: 'plain',
                              onclick: leave }, 'Log out'),
                h('p', null, who(store)),
                h('p', null, store.version ? `Chorus ${store.version}`
                                           : null))),
        h('main', { id: 'main', tabindex: '-1' },
            banner,
            h('h1', { tabindex: '-1', class: isShort ? 'unseen' : null,
                      key: title }, title),
            content),
    ];
}


function who({ token }) {
    return token ? [h('bdi', null, token.name), token.role === 'read'
                    ? ', may only look' : ''] : null;
}


/* A place in the page is no page of ours. */

function toMain(e) {
    e.preventDefault();
    document.getElementById('main').focus();
}


function mark() {
    return h('svg', { class: 'mark', viewBox: '0 0 32 32', width: 24,
                      height: 24, 'aria-hidden': 'true' },
        h('rect', { class: 'tile', x: 0, y: 0, width: 32, height: 32 }),
        h('path', { d: 'M9 16 C16 16 15 9 22 9' }),
        h('path', { d: 'M9 16 C16 16 15 23 22 23' }),
        h('circle', { cx: 8, cy: 16, r: 3.4 }),
        h('circle', { cx: 23.5, cy: 9, r: 2.6 }),
        h('circle', { cx: 23.5, cy: 23, r: 2.6 }));
}


function badge(id, store) {
    if (id === 'failed' && store.totals && store.totals.failed) {
        return h('span', { class: 'badge bad' }, count(store.totals.failed),
                 h('span', { class: 'unseen' }, ' parked'));
    }

    return null;
}


function health(store) {
    if (store.api === 'starting') {
        return 'Asking …';
    }

    if (store.api === 'away') {
        return dot('bad', 'The API does not answer');
    }

    const list = needs(store);
    const bad = list.filter((one) => one.tone === 'bad').length;

    return list.length === 0
           ? dot('good', 'All is well')
           : dot(bad ? 'bad' : 'warn', `${count(list.length)} ${
               list.length === 1 ? 'thing needs' : 'things need'} a look`);
}


/* Above any page while what is shown is old. */

export function banner(store) {
    if (store.api === 'away') {
        return h('div', { class: 'banner bad', role: 'alert', key: 'banner' },
            h('strong', null, 'The API does not answer. '),
            `${store.error.message} `,
            store.at ? ['What you see is of ', moment(store.since), `, ${
                ago(store.since, now())}. `] : '',
            'This page goes on asking; replication does not depend on it.');
    }

    if (store.redis === 'away') {
        return h('div', { class: 'banner bad', role: 'alert', key: 'banner' },
            h('strong', null, 'Redis cannot be reached. '),
            'Clients are served, their changes are noted in the journal, '
            + 'and nothing is replicated until Redis is back. Nothing can be '
            + 'changed here meanwhile.');
    }

    return null;
}
