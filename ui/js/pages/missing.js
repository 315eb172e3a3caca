import { h } from '../dom.js';

export const title = 'There is no such page';
export const nav = '';


export function start() {
    return {
        view: () => h('p', null, 'The address may have been cut. ',
                      h('a', { href: '#/' }, 'To the overview')),
    };
}
