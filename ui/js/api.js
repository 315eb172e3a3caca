/*
 * The control API, which is all that these pages know.  The token is kept for
 * the session of the browser and goes nowhere but into the header.
 */

const BASE = new URL('../../api/v1', import.meta.url);
const TOKEN = 'chorus.token';
const PATIENCE_MS = 15000;

/* the server's clock is in front of ours by so much */
let skew = 0;


export class ApiError extends Error {
    /* kind: away, token, wait, reads, redis, refused */
    constructor(kind, message, more = {}) {
        super(message);
        this.kind = kind;
        Object.assign(this, { status: 0, code: '', field: null, data: null },
                      more);
    }
}


export const token = {
    get: () => sessionStorage.getItem(TOKEN) || '',
    set: (text) => sessionStorage.setItem(TOKEN, text),
    forget: () => sessionStorage.removeItem(TOKEN),
};


export function now() {
    return Date.now() + skew;
}


/* /scans/R of ['scans', R] */

export function path(...parts) {
    return parts.map((part) => `/${encodeURIComponent(part)}`).join('');
}


/* What a key is in an address: any bytes, which the API gives in base 16 where
 * they are no text. */

export function keyArgument(row) {
    return row.key_base16 === undefined
           ? encodeURIComponent(row.key)
           : row.key_base16.replace(/../g, '%$&');
}


/*
 * call('GET', '/status', { query: { cursor: 0 } }): the answer's JSON.
 * query: values are encoded here; rawQuery: a text that is already.
 */

export async function call(method, at, options = {}) {
    const answer = await ask(method, address(at, options), options);
    const data = await body(answer);

    noteClock(answer);

    if (answer.ok && data !== null && typeof data === 'object') {
        return data;
    }

    throw failure(answer, data);
}


export const get = (at, options) => call('GET', at, options);


/* All pages of what has a cursor: take(answer) gives what has the next one. */

export async function pages(at, take, options = {}) {
    let cursor = '0';

    do {
        const answer = await call(options.method || 'GET', at, {
            ...options, query: { ...options.query, cursor } });
        const part = take(answer);

        cursor = String(part.cursor);
    } while (cursor !== '0');
}


function address(at, { query = {}, rawQuery = '' }) {
    const args = Object.entries(query)
        .filter(([, value]) => value !== undefined && value !== '')
        .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);

    if (rawQuery) {
        args.push(rawQuery);
    }

    return BASE.pathname + at + (args.length ? `?${args.join('&')}` : '');
}


async function ask(method, url, { json, signal, using, patience }) {
    const headers = { Authorization: `Bearer ${using ?? token.get()}` };
    const limit = AbortSignal.timeout(patience || PATIENCE_MS);

    if (json !== undefined) {
        headers['Content-Type'] = 'application/json';
    }

    try {
        return await fetch(url, {
            method, headers, cache: 'no-store', credentials: 'omit',
            redirect: 'error', referrerPolicy: 'no-referrer',
            body: json === undefined ? undefined : JSON.stringify(json),
            signal: signal ? either(signal, limit) : limit,
        });
    } catch (e) {
        if (signal && signal.aborted) {
            throw e;
        }

        throw new ApiError('away', limit.aborted
                           ? 'The API has not answered in time.'
                           : 'The API cannot be reached.');
    }
}


function either(...signals) {
    const both = new AbortController();

    for (const signal of signals) {
        if (signal.aborted) {
            both.abort();
        }
        signal.addEventListener('abort', () => both.abort());
    }

    return both.signal;
}


async function body(answer) {
    try {
        return JSON.parse(await answer.text());
    } catch {
        /* a proxy in between, or an answer that was cut */
        return null;
    }
}


function noteClock(answer) {
    const date = Date.parse(answer.headers.get('Date') || '');

    /* it has whole seconds: less than two of them may be nothing */
    if (Number.isFinite(date)) {
        const off = date + 500 - Date.now();
        skew = Math.abs(off) > 2000 ? off : 0;
    }
}


function failure(answer, data) {
    const error = data && data.error;
    const more = { status: answer.status, data,
                   code: error ? error.code : '',
                   field: error ? error.field : null };
    const said = error ? error.message : '';

    switch (answer.status) {

    case 401:
        return new ApiError('token', 'The API does not know this token.',
                            more);

    case 429:
        more.seconds = Number(answer.headers.get('Retry-After')) || 1;
        return new ApiError('wait', 'Too many wrong tokens came from here. '
                            + `Try again in ${more.seconds} s.`, more);

    case 403:
        return new ApiError('reads', 'This token may only look: '
                            + 'changes need the token of an admin.', more);

    case 503:
        if (said) {
            return new ApiError('redis', said, more);
        }
    }

    if (error === null || error === undefined) {
        return new ApiError('away', 'What answers is not the API of Chorus '
                            + `(HTTP ${answer.status}).`, more);
    }

    return new ApiError('refused', said, more);
}
