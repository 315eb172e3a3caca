/* The token, asked for once in a session of the browser. */

import { h } from '../dom.js';
import { get } from '../api.js';

const state = { text: '', error: null, isBusy: false };


export function login({ enter, reason, draw }) {
    const error = state.error || reason;

    return h('main', { class: 'login', key: 'login' },
        h('h1', { tabindex: '-1' }, 'Chorus'),
        h('p', { class: 'soft' }, 'S3 replication, seen and set from here.'),
        h('form', { onsubmit: (e) => submit(e, enter, draw) },
            h('label', { for: 'token' }, 'Token'),
            h('input', {
                id: 'token', type: 'password', value: state.text,
                autocomplete: 'off', spellcheck: 'false', required: true,
                'aria-describedby': 'token-help',
                'aria-invalid': error ? 'true' : null,
                oninput(e) { state.text = e.target.value; },
                made: (el) => requestAnimationFrame(() => el.focus()),
            }),
            h('p', { id: 'token-help', class: 'soft' },
              'One of the file that api.token_file names in chorus.json. '
              + 'It is kept until this tab is closed, and nowhere else.'),
            error ? h('p', { class: 'error', role: 'alert' }, error.message)
                  : null,
            h('button', { type: 'submit', class: 'main',
                          disabled: state.isBusy },
              state.isBusy ? 'Asking …' : 'Log in')));
}


async function submit(e, enter, draw) {
    const text = state.text.trim();

    e.preventDefault();
    Object.assign(state, { isBusy: true, error: null });
    draw();

    try {
        await get('', { using: text });
        state.text = '';
        enter(text);
    } catch (error) {
        state.error = error;
    }

    state.isBusy = false;
    draw();

    if (state.error) {
        document.getElementById('token').select();
    }
}
