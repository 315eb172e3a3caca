/*
 * Asks before something is done, and says what it will be.  The browser's own
 * <dialog> keeps the focus inside, gives it back, and closes with Escape.
 */

import { h, render } from './dom.js';
import { ApiError } from './api.js';
import { ONLY_LOOKS, mayChange } from './store/store.js';


/*
 * options: title; body(state, redraw), nodes that say what will happen; verb,
 * on the button; tone, 'bad' for what cannot be undone; run(state, progress),
 * which may throw; isReady(state).  Resolves with what run() gave, or null
 * when nothing was to be done.
 */

export function ask(options) {
    return new Promise((resolve) => {
        const el = document.createElement('dialog');
        const is = { state: options.state || {}, busy: '', error: null,
                     result: null };
        const draw = () => render(el, content(is, options, draw, el));

        el.setAttribute('aria-labelledby', 'dialog-title');
        el.addEventListener('cancel', (e) => is.busy && e.preventDefault());
        el.addEventListener('close', () => {
            el.remove();
            resolve(is.result);
        });
        document.body.append(el);
        draw();
        el.showModal();
    });
}


function content(is, options, draw, el) {
    const isReady = !is.busy && mayChange() && (!options.isReady
                                 || options.isReady(is.state));

    return h('form', { onsubmit: (e) => submit(e, is, options, draw, el) },
        h('h2', { id: 'dialog-title' }, options.title),
        h('div', { class: 'body' }, options.body(is.state, draw)),
        mayChange() ? null : h('p', { class: 'note' }, ONLY_LOOKS),
        is.error ? h('p', { class: 'error', role: 'alert' },
                     is.error.message) : null,
        is.busy ? h('p', { class: 'soft', role: 'status' }, is.busy) : null,
        h('div', { class: 'buttons' },
            h('button', { type: 'button', disabled: Boolean(is.busy),
                          onclick: () => el.close() },
              is.error ? 'Close' : 'Cancel'),
            h('button', { type: 'submit', disabled: !isReady,
                          class: options.tone === 'bad' ? 'danger' : 'main' },
              options.verb)));
}


async function submit(e, is, options, draw, el) {
    e.preventDefault();

    if (is.busy) {
        return;
    }

    Object.assign(is, { busy: 'Doing it …', error: null });
    draw();

    try {
        is.result = await options.run(is.state, (text) => {
            is.busy = text;
            draw();
        });
        is.busy = '';
        el.close();
    } catch (error) {
        if (!(error instanceof ApiError) && !(error instanceof Several)) {
            console.error(error);
        }
        Object.assign(is, { busy: '', error });
        draw();
    }
}


/* What happened to many: not all of it may have worked. */

export class Several extends Error {}


/* run(one) for each of the list; tells how far it is, and all that failed. */

export async function each(list, nameOf, run, progress) {
    const failed = [];

    for (let i = 0; i < list.length; i++) {
        progress(`${i} of ${list.length} done …`);

        try {
            await run(list[i]);
        } catch (error) {
            if (error.kind === 'token' || error.kind === 'away'
                || error.kind === 'reads')
            {
                throw new Several(`${i} of ${list.length} were done. ${
                    error.message}`);
            }
            failed.push(`${nameOf(list[i])}: ${error.message}`);
        }
    }

    if (failed.length) {
        const more = failed.length > 3 ? ` And ${failed.length - 3} more.`
                                       : '';

        throw new Several(`${list.length - failed.length} of ${
            list.length} were done. Not done: ${
            failed.slice(0, 3).join(' ')}${more}`);
    }

    return list.length;
}
