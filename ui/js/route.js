/*
 * Where one is, as the part of the address behind '#', so that any place can
 * be kept and sent: #/replications/alice%3Aphotos%3Af1?tab=failed
 */


export function parse(hash) {
    const [at, query = ''] = hash.replace(/^#?\/?/, '').split(/\?(.*)/s);

    return {
        parts: at === '' ? [] : at.split('/').map(decode),
        query: Object.fromEntries(new URLSearchParams(query)),
    };
}


/* An address that somebody has cut is no reason to show nothing. */

function decode(part) {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}


export function format(parts, query = {}) {
    const args = Object.entries(query)
        .filter(([, value]) => value !== '' && value !== null
                               && value !== undefined)
        .map(([name, value]) => `${encodeURIComponent(name)}=${
            encodeURIComponent(value)}`)
        .join('&');

    return `#/${parts.map(encodeURIComponent).join('/')}`
           + (args ? `?${args}` : '');
}


export function go(...parts) {
    location.hash = format(parts);
}


/* The same page with other arguments, without a step in the history. */

export function keep(route) {
    history.replaceState(null, '', format(route.parts, route.query));
}
