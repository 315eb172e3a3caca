/*
 * The last hour, as workers have noted it: samples of counters, of which each
 * interval has a rate.  Shown as a chart of one figure, chosen above it.
 */

import { h } from './dom.js';
import { get, now, path } from './api.js';
import { chart } from './chart.js';
import { store } from './store/store.js';
import { loading, panel, problem, tabs } from './parts.js';
import { bytes, byteStep, count, duration, rate, time, timeStep }
    from './units.js';

const HOUR_MS = 3600000;
const EVERY_MS = 10000;
const SINGLE = 2000;             /* with more they are not noted one by one */

const KINDS = {
    bytes: { word: 'Bytes a second', unit: (n) => rate(n, 'bytes'),
             step: byteStep },
    keys: { word: 'Keys a second', unit: (n) => rate(n) },
    lag: { word: 'Lag', unit: duration, step: timeStep },
    waiting: { word: 'Waiting', unit: (n) => count(Math.round(n)),
               step: (most) => (most <= 6 ? 1 : undefined) },
};


/* [at, keys, bytes, lag, waiting] -> { at, keys, bytes, lag, waiting }, the
 * first two a second since the sample before; null where a counter went back:
 * something was forgotten. */

export function ratesOf(samples) {
    return samples.map(([at, keys, size, lag, waiting], i) => {
        const before = samples[i - 1];
        const seconds = before ? (at - before[0]) / 1000 : 0;
        const isKnown = seconds > 0 && keys >= before[1]
                        && size >= before[2];

        return { at, lag, waiting,
                 keys: isKnown ? (keys - before[1]) / seconds : null,
                 bytes: isKnown ? (size - before[2]) / seconds : null };
    });
}


/* What was done within these: a counter that went back begins anew. */

export function sumsOf(samples) {
    const sums = { keys: 0, bytes: 0 };

    for (let i = 1; i < samples.length; i++) {
        sums.keys += Math.max(0, samples[i][1] - samples[i - 1][1]);
        sums.bytes += Math.max(0, samples[i][2] - samples[i - 1][2]);
    }

    return sums;
}


/* Of all replications, or of one; what view() is to be given. */

export function follow(ctx, name) {
    const is = { ctx, name: name || 'all', kind: 'bytes', samples: null,
                 error: null };
    const at = name === undefined ? '/history' : `/history${path(name)}`;

    ctx.poll(EVERY_MS, (signal) => get(at, { signal }), ({ samples }) => {
        Object.assign(is, { samples, error: null });
    }, (error) => { is.error = error; });

    return is;
}


export function view(is) {
    return panel('The last hour',
        is.samples === null ? is.error ? problem(is.error) : loading()
        : is.samples.length < 2
          ? h('p', { class: 'empty' }, is.name !== 'all'
              && store.total > SINGLE ? `Of more than ${count(SINGLE)} `
              + 'replications workers note only all of them together.'
              : 'Workers have noted nothing yet.')
          : [tabs('What is drawn', Object.entries(KINDS).map(
                 ([id, { word }]) => [id, word]), is.kind, (kind) => {
                 is.kind = kind;
                 is.ctx.redraw();
             }), drawn(is)]);
}


function drawn({ name, kind, samples }) {
    const to = now();
    const rates = ratesOf(samples);
    const { word, unit, step } = KINDS[kind];
    const most = rates.reduce((n, one) => Math.max(n, one[kind] || 0), 0);

    return chart({
        key: `${name}-${kind}`, samples: rates, from: to - HOUR_MS, to, unit,
        step: most === 0 ? 1 : step && step(most),
        lines: [{ name: word, at: (one) => one[kind] }],
        words: words(samples, kind, most),
    });
}


function words(samples, kind, most) {
    const sums = sumsOf(samples);
    const { word, unit } = KINDS[kind];

    return `${word}: ${unit(most)} at most. Since ${time(samples[0][0])} `
           + `${count(sums.keys)} ${sums.keys === 1 ? 'key' : 'keys'} and `
           + `${bytes(sums.bytes)}.`;
}
