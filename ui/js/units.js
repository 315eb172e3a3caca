/*
 * Numbers as a person reads them.  Each function gives a text; what is exact
 * goes into a title, which time(), exactly() and count() know.
 */

const BYTES = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];

const NUMBER = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;


/* 1234567 -> "1,234,567" */

export function count(n) {
    return n === null || n === undefined ? '–' : NUMBER.format(n);
}


/* 1536 -> "1.5 KiB"; three figures at most */

export function bytes(n) {
    if (n === null || n === undefined) {
        return '–';
    }

    let value = n;
    let unit = 0;

    /* 1023.5 KiB would be written as 1024 */
    while (value >= 999.5 && unit < BYTES.length - 1) {
        value /= 1024;
        unit++;
    }

    return `${figures(unit === 0 ? Math.round(value) : value)} ${BYTES[unit]}`;
}


/* 0.25 -> "0.25", 12.34 -> "12.3", 1234.5 -> "1,235" */

export function figures(value) {
    if (value === 0 || value >= 100) {
        return NUMBER.format(value);
    }

    if (value < 0.01) {
        return '<0.01';
    }

    return String(Number(value.toPrecision(value >= 10 ? 3 : 2)));
}


/* of things a second; null: not known yet */

export function rate(value, unit) {
    if (value === null || value === undefined || !Number.isFinite(value)) {
        return '–';
    }

    if (unit === 'bytes') {
        return `${bytes(value)}/s`;
    }

    return `${figures(value)}/s`;
}


/* 840 -> "840 ms", 8412 -> "8.4 s", 75000 -> "1 min 15 s" */

export function duration(ms) {
    if (ms === null || ms === undefined) {
        return '–';
    }

    if (ms < 1000) {
        return `${Math.round(ms)} ms`;
    }

    if (ms < 9950) {
        return `${(ms / 1000).toFixed(1)} s`;
    }

    const s = Math.round(ms / 1000);

    if (s < 60) {
        return `${s} s`;
    }

    if (s < 3600) {
        return two(Math.floor(s / 60), 'min', s % 60, 's', s < 600);
    }

    if (s < 86400) {
        return two(Math.floor(s / 3600), 'h', Math.floor(s % 3600 / 60),
                   'min', true);
    }

    return two(Math.floor(s / 86400), 'd', Math.floor(s % 86400 / 3600), 'h',
               s < 10 * 86400);
}


function two(n, unit, more, small, isShown) {
    return more && isShown ? `${n} ${unit} ${more} ${small}`
                           : `${n} ${unit}`;
}


/* in the browser's zone: "14:03:07" today, "21 Nov, 14:03" before */

export function time(ms, now = Date.now()) {
    const date = new Date(ms);
    const today = new Date(now).toDateString() === date.toDateString();

    if (today) {
        return date.toLocaleTimeString('en-GB');
    }

    return date.toLocaleString('en-GB', {
        day: 'numeric', month: 'short', hour: '2-digit', minute: '2-digit',
        year: date.getFullYear() === new Date(now).getFullYear() ? undefined
                                                                 : 'numeric',
    });
}


/* "14:03", whatever the day */

export function clock(ms) {
    return new Date(ms).toLocaleTimeString('en-GB', {
        hour: '2-digit', minute: '2-digit' });
}


/* "3 min ago" */

export function ago(ms, now) {
    const age = Math.max(0, now - ms);

    return age < 1500 ? 'now' : `${short(age)} ago`;
}


function short(ms) {
    const s = Math.round(ms / 1000);

    return s < 60 ? `${s} s` : s < 3600 ? `${Math.floor(s / 60)} min`
           : s < 86400 ? `${Math.floor(s / 3600)} h`
                       : `${Math.floor(s / 86400)} d`;
}


/* "2026-11-23 14:03:07.123 +01:00 (Europe/Berlin), 1795438987123" */

export function exactly(ms) {
    const date = new Date(ms);
    const offset = -date.getTimezoneOffset();
    const pad = (n, width = 2) => String(n).padStart(width, '0');
    const minutes = Math.abs(offset);

    return `${date.getFullYear()}-${pad(date.getMonth() + 1)}`
           + `-${pad(date.getDate())} ${pad(date.getHours())}`
           + `:${pad(date.getMinutes())}:${pad(date.getSeconds())}`
           + `.${pad(date.getMilliseconds(), 3)} ${offset < 0 ? '-' : '+'}`
           + `${pad(Math.floor(minutes / 60))}:${pad(minutes % 60)} (${ZONE})`;
}


/* ---- lines of a chart: as far from one another as a person counts ---- */


const LINES = 5;
const STEPS = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500];
const TIMES = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 20e3,
               30e3, 60e3, 120e3, 300e3, 600e3, 1200e3, 1800e3, 3600e3,
               7200e3, 14400e3, 21600e3, 43200e3, 86400e3];


/* 70 MiB -> 20 MiB */

export function byteStep(most) {
    const unit = 1024 ** Math.max(0, Math.floor(Math.log2(most || 1) / 10));

    return Math.max(1, STEPS.find((step) => most / unit / step <= LINES)
                       * unit);
}


/* 7 minutes -> 2 minutes */

export function timeStep(most) {
    const day = TIMES[TIMES.length - 1];

    return TIMES.find((step) => most / step <= LINES)
           || Math.ceil(most / day / LINES) * day;
}


/* "10MiB" and the like -> bytes, as the API takes them; null: it is none */

export function parseBytes(text) {
    const m = /^\s*(\d+)\s*(B|KiB|MiB|GiB|TiB)?\s*$/i.exec(text);

    if (m === null) {
        return null;
    }

    const unit = BYTES.findIndex(
        (u) => u.toLowerCase() === (m[2] || 'B').toLowerCase());

    return Number(m[1]) * 1024 ** unit;
}


/* 1 key, 2 keys */

export function plural(n, one, many = `${one}s`) {
    return `${count(n)} ${n === 1 ? one : many}`;
}
