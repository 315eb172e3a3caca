/*
 * The frame: which page is shown, and what is around it.  A page is a module
 * of pages/ with `title` and start(ctx), which gives { view(), stop() }; view
 * is called whenever something may have changed.
 */

import { render } from './dom.js';
import { parse } from './route.js';
import { token, ApiError } from './api.js';
import { store, watch, begin, end } from './store/store.js';
import { Poll } from './store/poll.js';
import { banner, frame } from './frame.js';
import { problem } from './parts.js';
import { say } from './say.js';
import { login } from './pages/login.js';
import { pageOf } from './pages/pages.js';
import * as theme from './theme.js';

const app = document.getElementById('app');

let page = null;                /* { route, title, it, polls, nav } */
let isDue = false;
let reason = null;              /* why the token is asked for again */


theme.apply();
addEventListener('hashchange', () => open(true));
addEventListener('chorus-changed', again);
addEventListener('chorus-back', back);
watch(draw);
start();


function start() {
    if (token.get()) {
        begin(lost);
    }

    open(false);
}


/* ---- pages ---- */


function open(isMove) {
    const route = parse(location.hash);

    close();

    if (!token.get()) {
        draw();
        return;
    }

    const { title, start: begins, nav } = pageOf(route.parts);

    page = { route, title, nav, polls: [], it: null, isOver: false };
    page.it = begins(contextOf(page));
    drawNow();

    /* who cannot see that the page is another one hears its heading */
    if (isMove) {
        scrollTo(0, 0);
        document.querySelector('h1')?.focus({ preventScroll: true });
    }
}


function close() {
    if (page === null) {
        return;
    }

    page.isOver = true;

    for (const poll of page.polls) {
        poll.stop();
    }

    if (page.it.stop) {
        page.it.stop();
    }

    page = null;
}


function contextOf(of) {
    return {
        route: of.route,
        redraw: draw,
        isOver: () => of.isOver,

        /* asks for what only this page shows */
        poll(every, load, take, fail = () => {}) {
            const poll = new Poll(() => every, load, (answer) => {
                take(answer);
                draw();
            }, (e) => {
                if (e instanceof ApiError && e.kind === 'token') {
                    lost(e);
                    return;
                }
                fail(e);
                draw();
            });

            of.polls.push(poll);
            return poll;
        },
    };
}


/* Something was changed, or the API is back: what a page shows of its own is
 * asked for, too. */

function again() {
    for (const poll of page ? page.polls : []) {
        poll.now();
    }
}


function back() {
    again();
    page?.it.back?.();
}


/* ---- the token ---- */


function enter(text) {
    reason = null;
    token.set(text);
    begin(lost);
    open(true);
}


function lost(e) {
    reason = e;
    leave();
}


function leave() {
    token.forget();
    end();
    close();
    document.querySelectorAll('dialog').forEach((el) => el.close());
    draw();
    document.querySelector('h1')?.focus();
}


/* ---- drawing ---- */


function draw() {
    if (!isDue) {
        isDue = true;
        requestAnimationFrame(drawNow);
    }
}


function drawNow() {
    isDue = false;

    if (page === null) {
        document.title = 'Chorus';
        render(app, login({ enter, reason, draw }));
        return;
    }

    const title = typeof page.title === 'function' ? page.title(page.route)
                                                   : page.title;

    document.title = `${title} – Chorus`;
    render(app, frame({
        title, nav: page.nav, store, theme, leave,
        redraw: draw, banner: banner(store), content: contentOf(page),
    }));
}


/* What a page cannot draw, of an answer that nobody has thought of, is told;
 * the next one may be better. */

function contentOf({ it }) {
    try {
        return it.view();
    } catch (e) {
        console.error(e);
        return problem(e);
    }
}


/* Nothing fails silently: what no part of the page has expected is told. */

addEventListener('unhandledrejection', (e) => {
    if (e.reason instanceof ApiError && e.reason.kind === 'token') {
        e.preventDefault();
        lost(e.reason);
    } else if (e.reason?.name !== 'AbortError') {
        say(e.reason?.message || String(e.reason), 'bad');
    }
});
