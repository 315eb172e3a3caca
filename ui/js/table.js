/*
 * A table that can be searched, sorted and turned page by page.  What is
 * searched for and how it is sorted stands in the address.
 *
 * While the pointer or the focus is in its rows these keep their order: what
 * somebody is about to press does not move away.
 */

import { h } from './dom.js';
import { keep } from './route.js';
import { count, plural } from './units.js';

const SIZES = [25, 50, 100, 250];
const ORDER = new Intl.Collator('en', { numeric: true });


/* ---- what is done with rows ---- */


/* Rows whose text has each of the words. */

export function search(rows, words, textOf) {
    const wanted = words.toLowerCase().split(/\s+/).filter(Boolean);

    return wanted.length === 0 ? rows : rows.filter((row) => {
        const text = textOf(row).toLowerCase();

        return wanted.every((word) => text.includes(word));
    });
}


/* What has no value is last, whichever way the others are; those that are
 * equal are sorted by `otherwise`, upwards. */

export function sort(rows, valueOf, isDown, otherwise = () => 0) {
    const sign = isDown ? -1 : 1;

    return rows.map((row) => ({ row, value: valueOf(row) }))
        .sort((a, b) => compare(a.value, b.value, sign)
                        || compare(otherwise(a.row), otherwise(b.row), 1))
        .map(({ row }) => row);
}


function compare(a, b, sign) {
    const isEmpty = [a, b].map((value) => value === null
                                          || value === undefined);

    if (isEmpty[0] || isEmpty[1]) {
        return Number(isEmpty[0]) - Number(isEmpty[1]);
    }

    return sign * (typeof a === 'string' ? ORDER.compare(a, b) : a - b);
}


/* { rows, page, pages, from }; a page that is too high is the last one */

export function page(rows, number, size) {
    const pages = Math.max(1, Math.ceil(rows.length / size));
    const at = Math.min(Math.max(1, number), pages);

    return { rows: rows.slice((at - 1) * size, at * size), page: at, pages,
             from: (at - 1) * size + 1 };
}


/* ---- what is seen of it ---- */


/*
 * columns: { id, title, cell(row), value(row) to sort by, num, down: sorted
 * downwards at first, wide }.  options: ctx, label, keyOf, textOf, sort, noun,
 * empty, isSelectable.
 */

export class Table {
    constructor(options) {
        Object.assign(this, { noun: 'row', sort: options.columns[0].id },
                      options);
        this.selected = new Set();
        this.order = null;
        this.isHeld = false;
    }

    get query() {
        return this.ctx.route.query;
    }

    set(changes) {
        Object.assign(this.query, changes);
        keep(this.ctx.route);
        this.order = null;
        this.ctx.redraw();
    }

    sorting() {
        const [id, way] = (this.query.sort || this.sort).split('.');
        const column = this.columns.find((c) => c.id === id && c.value)
                       || this.columns.find((c) => c.value);

        return { column, isDown: way === undefined ? Boolean(column.down)
                                                   : way === 'down' };
    }

    /* all that were found, sorted */
    find(rows) {
        const found = search(rows, this.query.q || '', this.textOf);
        const { column, isDown } = this.sorting();

        if (this.isHeld && this.order) {
            const place = new Map(this.order.map((key, i) => [key, i]));

            return sort(found, (row) => place.get(this.keyOf(row)) ?? null,
                        false);
        }

        const sorted = sort(found, column.value, isDown,
                            this.columns[0].value);

        this.order = sorted.map(this.keyOf);

        return sorted;
    }

    hold(isHeld) {
        if (this.isHeld !== isHeld) {
            this.isHeld = isHeld;
            this.ctx.redraw();
        }
    }

    size() {
        const n = Number(this.query.size);

        return SIZES.includes(n) ? n : SIZES[1];
    }

    /* of rows that a filter of the page has left */
    view(rows, { total = rows.length, filters = null, actions = null } = {}) {
        const found = this.find(rows);
        const shown = page(found, Number(this.query.page) || 1, this.size());

        this.found = found;

        return h('section', { class: 'list', 'aria-label': this.label },
            this.tools(found, total, filters),
            actions ? this.bulk(found, actions) : null,
            found.length === 0 ? this.nothing(total)
                               : this.table(shown, actions !== null),
            found.length > SIZES[0] ? this.pager(shown, found.length) : null);
    }

    tools(found, total, filters) {
        return h('div', { class: 'tools', role: 'search' },
            h('label', { class: 'search' },
                h('span', { class: 'unseen' }, `Search ${this.label}`),
                h('input', {
                    type: 'search', value: this.query.q || '',
                    placeholder: 'Search', spellcheck: 'false',
                    oninput: (e) => this.set({ q: e.target.value, page: '' }),
                })),
            filters, this.orderChoice(),
            h('p', { class: 'soft found' }, found.length === total
              ? plural(total, this.noun)
              : `${count(found.length)} of ${plural(total, this.noun)}`));
    }

    /* where there are no headings to press, on a narrow screen */
    orderChoice() {
        const { column: by, isDown } = this.sorting();
        const ways = [['up', 'upwards'], ['down', 'downwards']];

        return h('label', { class: 'choice order' }, h('span', null, 'Sort by'),
            h('select', {
                value: `${by.id}.${isDown ? 'down' : 'up'}`,
                onchange: (e) => this.set({ sort: e.target.value, page: '' }),
            }, this.columns.filter((column) => column.value)
                .flatMap((column) => ways.map(([way, word]) => h('option', {
                    value: `${column.id}.${way}` },
                    `${column.title}, ${word}`)))));
    }

    nothing(total) {
        return h('div', { class: 'empty' },
            total === 0 ? this.empty : 'Nothing of that kind is here.',
            total !== 0 ? h('button', {
                type: 'button',
                onclick: () => this.set(Object.fromEntries(
                    Object.keys(this.query).map((name) => [name, '']))),
            }, 'Show all') : null);
    }

    table(shown, isSelectable) {
        return h('div', { class: 'scroll' },
            h('table', { class: 'rows' },
                h('caption', { class: 'unseen' }, this.label),
                h('thead', null, h('tr', null,
                    isSelectable ? this.selectAll(shown.rows) : null,
                    this.columns.map((column) => this.heading(column)))),
                h('tbody', {
                    onpointerenter: (e) => e.pointerType === 'mouse'
                                           && this.hold(true),
                    onpointerleave: () => this.hold(false),
                    onfocusin: () => this.hold(true),
                    onfocusout: () => this.hold(false),
                }, shown.rows.map((row) => this.row(row, isSelectable)))));
    }

    heading(column) {
        const { column: by, isDown } = this.sorting();
        const is = by.id === column.id;

        if (!column.value) {
            return h('th', { scope: 'col', key: column.id,
                             class: column.num ? 'num' : null },
                     column.title || h('span', { class: 'unseen' },
                                       'Actions'));
        }

        return h('th', {
            scope: 'col', key: column.id, class: column.num ? 'num' : null,
            'aria-sort': is ? (isDown ? 'descending' : 'ascending') : null,
        }, h('button', {
            type: 'button', class: 'sort',
            onclick: () => this.set({
                sort: `${column.id}.${
                    (is ? !isDown : column.down) ? 'down' : 'up'}`,
                page: '' }),
        }, column.title, h('span', { class: 'way', 'aria-hidden': 'true' },
                           is ? (isDown ? '▾' : '▴') : '')));
    }

    row(row, isSelectable) {
        const key = this.keyOf(row);

        return h('tr', { key, class: this.selected.has(key) ? 'chosen'
                                                            : null },
            isSelectable ? h('td', { class: 'pick', key: 'pick' }, h('input', {
                type: 'checkbox', checked: this.selected.has(key),
                'aria-label': `Choose ${this.nameOf(row)}`,
                onchange: (e) => this.choose([key], e.target.checked),
            })) : null,
            this.columns.map((column) => h('td', {
                key: column.id, 'data-label': column.title,
                class: [column.num ? 'num' : '', column.wide ? 'wide' : '']
                    .join(' ').trim() || null,
            }, column.cell(row))));
    }

    /* ---- several at once ---- */

    selectAll(rows) {
        const keys = rows.map(this.keyOf);
        const n = keys.filter((key) => this.selected.has(key)).length;

        return h('th', { class: 'pick', scope: 'col', key: 'pick' },
            h('input', {
                type: 'checkbox', checked: n === keys.length,
                indeterminate: n > 0 && n < keys.length,
                'aria-label': 'Choose all of this page',
                onchange: (e) => this.choose(keys, e.target.checked),
            }));
    }

    choose(keys, isChosen) {
        for (const key of keys) {
            if (isChosen) {
                this.selected.add(key);
            } else {
                this.selected.delete(key);
            }
        }

        this.ctx.redraw();
    }

    /* The chosen ones that are still found: nothing happens to what one does
     * not see. */

    chosen() {
        return this.found.filter((row) => this.selected.has(this.keyOf(row)));
    }

    bulk(found, actions) {
        const n = found.filter((row) => this.selected.has(this.keyOf(row)))
            .length;

        return n === 0 ? null : h('div', { class: 'bulk', role: 'group',
                                           'aria-label': 'Chosen rows' },
            h('strong', null, `${plural(n, this.noun)} chosen`),
            n < found.length ? h('button', {
                type: 'button', class: 'plain',
                onclick: () => this.choose(found.map(this.keyOf), true),
            }, `Choose all ${count(found.length)}`) : null,
            h('button', {
                type: 'button', class: 'plain',
                onclick: () => this.choose([...this.selected], false),
            }, 'Choose none'),
            h('span', { class: 'gap' }),
            actions);
    }

    pager(shown, total) {
        const to = shown.from + shown.rows.length - 1;
        const turn = (n) => this.set({ page: String(n) });

        return h('div', { class: 'pager', role: 'navigation',
                          'aria-label': `Pages of ${this.label}` },
            h('label', null, 'Rows ', h('select', {
                value: String(this.size()),
                onchange: (e) => this.set({ size: e.target.value, page: '' }),
            }, SIZES.map((n) => h('option', { value: n }, n)))),
            h('span', { class: 'soft' },
              `${count(shown.from)}–${count(to)} of ${count(total)}`),
            h('button', { type: 'button', disabled: shown.page === 1,
                          'aria-label': 'Page before',
                          onclick: () => turn(shown.page - 1) }, '‹'),
            h('button', { type: 'button',
                          disabled: shown.page === shown.pages,
                          'aria-label': 'Next page',
                          onclick: () => turn(shown.page + 1) }, '›'));
    }
}
