/*
 * Rules of accessibility that a program can check, of the page as it is seen:
 * what is broken, a line for each.  WCAG 2.2, levels A and AA.
 */

const broken = [];
const root = document.querySelector('dialog[open]') || document.body;

const name = (el) => `${el.localName}${el.id ? `#${el.id}` : ''}${
    el.className && el.className.baseVal === undefined
        ? `.${el.className.trim().replace(/\s+/g, '.')}` : ''} “${
    (el.innerText || el.value || '').trim().slice(0, 30)}”`;

const isSeen = (el) => el.getClientRects().length > 0
    && getComputedStyle(el).visibility === 'visible';


/* ---- structure ---- */

function one(selector) {
    const n = document.querySelectorAll(selector).length;

    if (n !== 1) {
        broken.push(`${n} of ${selector}`);
    }
}

one('h1');
one('main');
one('#said[aria-live]');

if (document.querySelector('.top')) {
    one('nav[aria-label]');
    one('header');
    one('nav [aria-current=page]');
}

if (!document.documentElement.lang || !document.title) {
    broken.push('no language or no title');
}

let level = 0;

for (const el of document.querySelectorAll('h1, h2, h3, h4')) {
    const is = Number(el.localName[1]);

    if (!el.closest('dialog') && is > level + 1) {
        broken.push(`a heading is left out before ${name(el)}`);
    }
    level = el.closest('dialog') ? level : is;
}

const ids = new Set();

for (const el of document.querySelectorAll('[id]')) {
    if (ids.has(el.id)) {
        broken.push(`two of the id ${el.id}`);
    }
    ids.add(el.id);
}

for (const what of ['for', 'aria-labelledby', 'aria-describedby',
                    'aria-controls', 'list'])
{
    for (const el of document.querySelectorAll(`[${what}]`)) {
        for (const id of el.getAttribute(what).split(/\s+/)) {
            if (!ids.has(id)) {
                broken.push(`${what} of ${name(el)} leads nowhere: ${id}`);
            }
        }
    }
}

for (const table of document.querySelectorAll('table')) {
    for (const th of table.querySelectorAll('th')) {
        if (!th.scope || !(th.innerText || th.querySelector('[aria-label]')
            || th.textContent))
        {
            broken.push(`a heading of a table says nothing: ${name(th)}`);
        }
    }
}


/* ---- names of what can be used ---- */

const USED = 'a[href], button, input, select, textarea, [tabindex="0"]';

for (const el of document.querySelectorAll(USED)) {
    const said = el.getAttribute('aria-label')
        || (el.labels && el.labels[0] && el.labels[0].textContent)
        || (el.localName === 'a' || el.localName === 'button'
            ? el.textContent : '');

    if (!said || !said.trim()) {
        broken.push(`no name: ${name(el)}`);
    }

    if (el.tabIndex > 0) {
        broken.push(`a tabindex of its own: ${name(el)}`);
    }
}

for (const el of document.querySelectorAll('[role=progressbar], canvas, '
                                           + 'fieldset, section, dialog'))
{
    if (!el.getAttribute('aria-label') && !el.getAttribute('aria-labelledby')
        && !el.querySelector(':scope > legend'))
    {
        broken.push(`no name: ${name(el)}`);
    }
}

for (const el of document.querySelectorAll('svg, img')) {
    if (el.getAttribute('aria-hidden') !== 'true'
        && !el.getAttribute('aria-label') && !el.alt)
    {
        broken.push(`a picture without words: ${name(el)}`);
    }
}


/* ---- contrast ---- */

function colour(text) {
    const n = (text.match(/[\d.]+(e-\d+)?/g) || []).map(Number);

    return text.startsWith('color(srgb')
           ? [n[0] * 255, n[1] * 255, n[2] * 255, n[3] ?? 1]
           : [n[0], n[1], n[2], n[3] ?? 1];
}

function over(top, below) {
    return [0, 1, 2].map((i) => top[i] * top[3] + below[i] * (1 - top[3]))
        .concat(1);
}

function ground(el) {
    const layers = [];

    for (let at = el; at; at = at.parentElement) {
        layers.push(colour(getComputedStyle(at).backgroundColor));
    }

    return layers.reverse().reduce((below, top) => over(top, below),
                                   [255, 255, 255, 1]);
}

function light([r, g, b]) {
    const [x, y, z] = [r, g, b].map((v) => v / 255).map((v) =>
        (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));

    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
}

function contrast(a, b) {
    const [low, high] = [light(a), light(b)].sort((x, y) => x - y);

    return (high + 0.05) / (low + 0.05);
}

const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);

while (walk.nextNode()) {
    const el = walk.currentNode.parentElement;
    const style = getComputedStyle(el);

    if (!walk.currentNode.data.trim() || !isSeen(el)
        || el.closest('.unseen, .skip, :disabled, option'))
    {
        continue;
    }

    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const is = contrast(over(colour(style.color), ground(el)), ground(el));

    if (is < (isLarge ? 3 : 4.5)) {
        broken.push(`contrast ${is.toFixed(2)}: ${name(el)}`);
    }
}

for (const el of root.querySelectorAll('input, select')) {
    const style = getComputedStyle(el);

    if (isSeen(el) && !['checkbox', 'radio'].includes(el.type)
        && contrast(colour(style.borderTopColor),
                    ground(el.parentElement)) < 3)
    {
        broken.push(`an edge that is hardly seen: ${name(el)}`);
    }
}


/* ---- size ---- */

for (const el of root.querySelectorAll('button, input, select, .button, '
                                       + '.places a'))
{
    const box = (el.closest('label') || el).getBoundingClientRect();

    if (isSeen(el) && !el.closest('.skip, .unseen')
        && (box.width < 16 || box.height < 16
            || (el.localName !== 'input' && box.height < 22)))
    {
        broken.push(`small: ${name(el)} ${box.width}x${box.height}`);
    }
}

if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll('main *')].filter((el) =>
        el.getBoundingClientRect().right > innerWidth + 1
        && !el.closest('.scroll'));

    broken.push(`wider than the screen: ${wide.slice(0, 2).map(name)}`);
}

return [...new Set(broken)];
