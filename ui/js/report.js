/*
 * The whole report of a check, however long: the server keeps a few lines of
 * it, and a check that is to be read waits while these are full.  So this tab
 * reads: it takes lines, has them forgotten, and keeps them until they are
 * saved as a file.  It goes on while other pages are shown.
 */

import { call, get, path } from './api.js';
import { tell } from './store/store.js';

const NAP_MS = 1000;
const TYPE = 'application/x-ndjson';

/* name of the replication -> { id, text, lines, last, lost, state, error };
 * state: reading, whole, broken */
const reports = new Map();


export const reportOf = (name) => reports.get(name) || null;


/* The check of this id has begun, to be read by us. */

export function collect(name, id) {
    const it = { name, id, text: new Blob([], { type: TYPE }), lines: 0,
                 last: 0, lost: 0, state: 'reading', error: '',
                 isSaved: false };

    reports.set(name, it);
    read(it);
}


async function read(it) {
    try {
        while (it.state === 'reading' && reports.get(it.name) === it) {
            await take(it);
        }
    } catch (error) {
        /* who is logged out reads no more; else it is asked again */
        if (error.kind === 'away' || error.kind === 'redis') {
            it.error = error.message;
            tell();
            setTimeout(() => read(it), NAP_MS);
            return;
        }

        Object.assign(it, { state: 'broken', error: error.message });
    }

    tell();
}


/* A page of it: first kept, then forgotten there. */

async function take(it) {
    const at = `/scans${path(it.name)}/differences`;
    const { id, state, lost, differences } = await get(at, {
        query: { after: it.last } });

    if (id !== it.id) {
        throw new Error('another scan has begun meanwhile');
    }

    Object.assign(it, { lost, error: '' });

    if (differences.length) {
        it.text = new Blob([it.text, linesOf(differences)], { type: TYPE });
        it.lines += differences.length;
        it.last = differences[differences.length - 1].n;
        await call('DELETE', at, { query: { id, until: it.last } });

    } else if (state === 'running') {
        await new Promise((resolve) => setTimeout(resolve, NAP_MS));

    } else {
        it.state = state === 'ended' ? 'whole' : 'broken';
        it.error = state === 'ended' ? '' : `the check is ${state}`;
    }

    tell();
}


export const linesOf = (differences) => differences
    .map((one) => `${JSON.stringify(one)}\n`).join('');


/* What there is of it as a file. */

export function saveReport(it) {
    hand(it.name, it.text);
    it.isSaved = it.state !== 'reading';
}


export function hand(name, text) {
    const url = URL.createObjectURL(text);
    const a = document.createElement('a');

    a.href = url;
    a.download = `${name.replace(/[^\w.-]+/g, '_')}.jsonl`;
    a.click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
}


/* Lines that only this tab has are not closed away by mistake. */

addEventListener('beforeunload', (e) => {
    if ([...reports.values()].some((it) => it.state === 'reading'
                                           || (it.lines && !it.isSaved)))
    {
        e.preventDefault();
    }
});
