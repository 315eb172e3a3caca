/*
 * What is on the screen: h() says what is to be there, render() makes the
 * document equal to it and touches only what differs, so that live figures
 * neither flicker nor take away the focus, a selection or the place that was
 * scrolled to.
 *
 * A text only ever becomes a text node, and attributes are a closed list:
 * names of buckets and keys come from anybody who may write an object.
 */

const SVG = 'http://www.w3.org/2000/svg';

/* set on the element itself: the attribute is only their first value */
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'indeterminate',
                            'hidden', 'open', 'selected', 'required',
                            'readOnly', 'multiple']);

const ATTRIBUTES = new Set([
    'class', 'id', 'for', 'name', 'type', 'title', 'href', 'lang', 'dir',
    'role', 'tabindex', 'scope', 'colspan', 'rowspan', 'placeholder',
    'autocomplete', 'spellcheck', 'min', 'max', 'step', 'maxlength', 'list',
    'datetime', 'download', 'rows', 'inputmode', 'width', 'height',
    'viewBox', 'd', 'cx', 'cy', 'r', 'x', 'y', 'points', 'label',
    'preserveAspectRatio', 'vector-effect', 'focusable',
]);

/* within this page, or what the page has made */
const HREF = /^(#|blob:|\.\/)/;


/* h('p', { class: 'x', onclick: f, key: 7 }, 'text', h('b', null, 'more')) */

export function h(tag, props, ...children) {
    const flat = [];

    for (const child of children.flat(Infinity)) {
        if (child === null || child === undefined || child === false
            || child === true || child === '')
        {
            continue;
        }

        flat.push(typeof child === 'object' ? child : String(child));
    }

    return { tag, props: props || {}, key: props ? props.key : undefined,
             children: flat };
}


/* Makes the children of `root` equal to these. */

export function render(root, ...nodes) {
    patchChildren(root, h('x', null, ...nodes).children,
                  root.namespaceURI === SVG);
}


/* The value that stands behind an element that h() made: for tests. */

function made(el) {
    return el.chorusNode;
}


function create(node, inSvg) {
    if (typeof node === 'string') {
        return document.createTextNode(node);
    }

    const isSvg = inSvg || node.tag === 'svg';
    const el = isSvg ? document.createElementNS(SVG, node.tag)
                     : document.createElement(node.tag);

    el.chorusNode = { tag: node.tag, key: node.key, props: {} };
    patchProps(el, {}, node.props);
    patchChildren(el, node.children, isSvg);

    /* a select takes its value once it has its options */
    if (node.tag === 'select') {
        setProp(el, 'value', node.props.value, undefined);
    }

    if (node.props.made) {
        node.props.made(el);
    }

    return el;
}


function patch(el, node, inSvg) {
    if (typeof node === 'string') {
        if (el.data !== node) {
            el.data = node;
        }
        return;
    }

    const before = made(el).props;

    made(el).key = node.key;
    patchChildren(el, node.children, inSvg || node.tag === 'svg');
    patchProps(el, before, node.props);
}


function fits(el, node) {
    if (typeof node === 'string') {
        return el.nodeType === 3;
    }

    return el.nodeType === 1 && made(el) !== undefined
           && made(el).tag === node.tag && made(el).key === node.key;
}


/*
 * Which of the nodes that are there become which of the new ones: those with a
 * key by it, others in their order.
 */

function match(old, nodes) {
    const keyed = new Map();
    const plain = [];
    let next = 0;

    for (const el of old) {
        if (el.nodeType === 1 && made(el) && made(el).key !== undefined) {
            keyed.set(made(el).key, el);
        } else {
            plain.push(el);
        }
    }

    return nodes.map((node) => {
        if (typeof node !== 'string' && node.key !== undefined) {
            const el = keyed.get(node.key);
            keyed.delete(node.key);
            return el && fits(el, node) ? el : null;
        }

        for (let i = next; i < plain.length; i++) {
            if (fits(plain[i], node)) {
                next = i + 1;
                return plain[i];
            }
        }

        return null;
    });
}


function patchChildren(root, nodes, inSvg) {
    const old = Array.from(root.childNodes);
    const found = match(old, nodes);
    const kept = new Set(found);

    for (const el of old) {
        if (!kept.has(el)) {
            removed(el);
            el.remove();
        }
    }

    let cursor = root.firstChild;

    nodes.forEach((node, i) => {
        const el = found[i];

        if (el === null) {
            root.insertBefore(create(node, inSvg), cursor);
            return;
        }

        patch(el, node, inSvg);

        if (el === cursor) {
            cursor = cursor.nextSibling;
        } else {
            root.insertBefore(el, cursor);
        }
    });
}


function removed(el) {
    if (el.nodeType !== 1) {
        return;
    }

    for (const child of el.childNodes) {
        removed(child);
    }

    if (made(el) && made(el).props.gone) {
        made(el).props.gone(el);
    }
}


function patchProps(el, before, props) {
    for (const name of Object.keys(before)) {
        if (!(name in props)) {
            setProp(el, name, undefined, before[name]);
        }
    }

    for (const name of Object.keys(props)) {
        setProp(el, name, props[name], before[name]);
    }

    made(el).props = props;
}


function setProp(el, name, value, before) {
    if (name === 'key' || name === 'made' || name === 'gone') {
        return;
    }

    if (name === 'vars') {
        setVars(el, value || {}, before || {});

    } else if (name.startsWith('on')) {
        listen(el, name.slice(2), value);

    /* of an option the property is its text until there is the attribute */
    } else if (name === 'value' && el.localName === 'option') {
        el.setAttribute('value', value);

    } else if (PROPERTIES.has(name)) {
        setProperty(el, name, value);

    } else if (value !== before) {
        setAttribute(el, name, value);
    }
}


/* One listener of ours for each event, whatever it does at the moment. */

function listen(el, event, handler) {
    el.chorusOn = el.chorusOn || {};

    if (!(event in el.chorusOn)) {
        el.addEventListener(event, (e) => {
            if (el.chorusOn[event]) {
                el.chorusOn[event](e);
            }
        });
    }

    el.chorusOn[event] = handler || null;
}


function setProperty(el, name, value) {
    const wanted = name === 'value' ? String(value ?? '') : Boolean(value);

    if (el[name] !== wanted) {
        el[name] = wanted;
    }
}


function setAttribute(el, name, value) {
    if (!ATTRIBUTES.has(name) && !/^(aria|data)-[a-z-]+$/.test(name)
        && !/^(fill|stroke)/.test(name))
    {
        throw new Error(`no such attribute here: ${name}`);
    }

    if (name === 'href' && value && !HREF.test(value)) {
        throw new Error('a link that leaves the page');
    }

    if (value === undefined || value === null || value === false) {
        el.removeAttribute(name);
    } else {
        el.setAttribute(name, value === true ? '' : String(value));
    }
}


/* Custom properties for the style sheet, which the policy allows to set. */

function setVars(el, vars, before) {
    for (const name of Object.keys(vars)) {
        if (vars[name] !== before[name]) {
            el.style.setProperty(name, vars[name]);
        }
    }
}
