/*
 * A chart over time, by Chart.js of Debian, which is only loaded where there
 * is one.  It is drawn on a canvas; the same in words stands beside it.
 */

import { h } from './dom.js';
import { clock, time } from './units.js';

const TICKS_MS = 600000;

let library = null;


function load() {
    library = library || import('../lib/chart.min.js')
        .then(() => globalThis.Chart);

    return library;
}


/*
 * lines: [{ name, at(sample) }]; unit(value) -> text; step: between two lines
 * of the ground, or undefined; samples: [{ at, ... }], the eldest first.  What
 * a chart shows stands in `words`.
 */

export function chart({ key, samples, lines, unit, step, words, from, to }) {
    return h('figure', { class: 'chart', key },
        h('div', { class: 'canvas' }, h('canvas', {
            key: 'canvas', role: 'img', 'aria-label': words,
            made: (el) => attach(el),
            gone: (el) => detach(el),
            class: update(key, { samples, lines, unit, step, from, to }),
        })),
        h('figcaption', { class: 'soft' }, words));
}


/* ---- between what is to be shown and what Chart.js has ---- */


const wanted = new Map();       /* key of the chart -> what is to be shown */


/* gives the class, by which attach() finds it */

function update(key, data) {
    const one = wanted.get(key) || { el: null, chart: null };

    Object.assign(one, data);
    wanted.set(key, one);

    if (one.chart) {
        fill(one);
    }

    return `chart-${key}`;
}


function of(el) {
    return wanted.get(el.className.replace('chart-', ''));
}


async function attach(el) {
    const one = of(el);
    let Chart;

    try {
        Chart = await load();
    } catch {
        return;                 /* the words that stand beside it are there */
    }

    if (!el.isConnected) {
        return;
    }

    one.el = el;
    one.chart = new Chart(el, settings(one));
    one.recolour = () => fill(one);
    addEventListener('chorus-theme', one.recolour);
    fill(one);
}


function detach(el) {
    const one = of(el);

    if (one && one.chart) {
        removeEventListener('chorus-theme', one.recolour);
        one.chart.destroy();
        one.chart = null;
    }

    wanted.delete(el.className.replace('chart-', ''));
}


function fill(one) {
    const { chart: it, samples, lines } = one;
    const colours = palette();

    it.options = settings(one).options;
    it.data.datasets = lines.map((line, i) => ({
        ...it.data.datasets[i],
        label: line.name,
        data: samples.map((sample) => ({ x: sample.at, y: line.at(sample) })),
        borderColor: colours.lines[i],
        backgroundColor: colours.lines[i],
        stepped: 'after',
    }));
    it.update('none');
}


function palette() {
    const style = getComputedStyle(document.documentElement);
    const of_ = (name) => style.getPropertyValue(name).trim();

    return { lines: [of_('--accent'), of_('--soft')], text: of_('--soft'),
             grid: of_('--line') };
}


function settings({ unit, step, lines, from, to }) {
    const colours = palette();
    const font = { family: 'system-ui, sans-serif', size: 11 };

    return {
        type: 'line',
        data: { datasets: [] },
        options: {
            animation: false, responsive: true, maintainAspectRatio: false,
            parsing: false, normalized: true, spanGaps: false,
            interaction: { mode: 'index', intersect: false },
            elements: { point: { radius: 0, hitRadius: 8 },
                        line: { borderWidth: 1.6 } },
            scales: {
                x: { type: 'linear', min: from, max: to,
                     grid: { display: false },
                     ticks: { color: colours.text, font, maxRotation: 0,
                              stepSize: TICKS_MS, includeBounds: false,
                              callback: clock } },
                y: { beginAtZero: true, suggestedMax: 1,
                     grid: { color: colours.grid, drawBorder: false },
                     ticks: { color: colours.text, font, maxTicksLimit: 7,
                              stepSize: step,
                              callback: (value) => unit(value) } },
            },
            plugins: {
                legend: { display: lines.length > 1, align: 'start',
                          labels: { color: colours.text, font, boxWidth: 18,
                                    boxHeight: 1 } },
                tooltip: { callbacks: {
                    title: (items) => time(items[0].parsed.x),
                    label: (item) => `${item.dataset.label}: ${
                        unit(item.parsed.y)}` } },
            },
        },
    };
}
