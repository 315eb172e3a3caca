/* What was done, for a moment, and what went wrong, until it is put away. */

import { h, render } from './dom.js';

const SHOWN_MS = 6000;

const said = [];
let number = 0;


/* tone: good, bad */

export function say(text, tone = 'good') {
    const one = { text, tone, id: ++number };

    said.push(one);

    if (said.length > 4) {
        said.shift();
    }

    if (tone !== 'bad') {
        setTimeout(() => drop(one), SHOWN_MS);
    }

    draw();
}


function drop(one) {
    const i = said.indexOf(one);

    if (i !== -1) {
        said.splice(i, 1);
        draw();
    }
}


function draw() {
    render(document.getElementById('said'), said.map((one) => h('p', {
        key: one.id, class: `said ${one.tone}`,
    }, h('span', null, one.text), h('button', {
        type: 'button', class: 'plain', 'aria-label': 'Put this message away',
        onclick: () => drop(one),
    }, '×'))));
}
