/* Light or dark: as the system has it, unless somebody has chosen. */

const NAME = 'chorus.theme';
const ORDER = ['auto', 'light', 'dark'];

const WORDS = { auto: 'Colours: as the system', light: 'Colours: light',
                dark: 'Colours: dark' };

const MEDIA = { auto: '(prefers-color-scheme: dark)', light: 'not all',
                dark: 'all' };

/* dark.css, which comes after the light ones */
const sheet = document.getElementById('dark');


export function chosen() {
    const kept = localStorage.getItem(NAME);

    return ORDER.includes(kept) ? kept : 'auto';
}


export const words = () => WORDS[chosen()];


export function next() {
    localStorage.setItem(NAME,
                         ORDER[(ORDER.indexOf(chosen()) + 1) % ORDER.length]);
    apply();
}


export function apply() {
    const media = MEDIA[chosen()];

    if (sheet.media !== media) {
        sheet.media = media;
    }

    tell();
}


/* Who has taken a colour out of the sheets takes it again. */

function tell() {
    dispatchEvent(new Event('chorus-theme'));
}


matchMedia(MEDIA.auto).addEventListener('change', tell);
sheet.addEventListener('load', tell);
