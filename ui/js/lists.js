/*
 * A rule of several buckets: a pattern that has each name, and nothing else,
 * so that one can be taken out again.
 */

const BYTES = 1000;             /* of a pattern, which may have 1,024 */
const HEAD = '~^(?:';
const TAIL = ')\\z';
const KNOWN = 2000;


const escape = (name) => name.replace(/[^A-Za-z0-9_\u0080-\uffff]/g, '\\$&');

const sizeOf = (text) => new TextEncoder().encode(escape(text)).length + 1;


/* What together matches just these buckets; of one it is its name. */

export function listsOf(names) {
    const lists = [];
    let size = BYTES;

    for (const one of names) {
        size += sizeOf(one);

        if (size > BYTES) {
            lists.push([]);
            size = sizeOf(one);
        }

        lists[lists.length - 1].push(one);
    }

    return lists.map((list) => (list.length === 1 ? list[0]
        : HEAD + list.map(escape).join('|') + TAIL));
}


const known = new Map();


/* The names of such a pattern, as a Set; null: it is none. */

export function listOf(pattern) {
    if (!known.has(pattern)) {
        if (known.size > KNOWN) {
            known.clear();
        }
        known.set(pattern, read(pattern));
    }

    return known.get(pattern);
}


function read(pattern) {
    if (!pattern.startsWith(HEAD) || !pattern.endsWith(TAIL)) {
        return null;
    }

    const text = pattern.slice(HEAD.length, -TAIL.length);

    /* what somebody else has written may mean anything */
    return /^(?:\\[^A-Za-z0-9]|[A-Za-z0-9_|\u0080-\uffff])+$/.test(text)
           ? new Set(text.match(/(?:\\[^]|[^|\\])+/g).map(
               (one) => one.replace(/\\([^])/g, '$1'))) : null;
}
