/*
 * Asks again and again: the next time a while after the last answer, at once
 * when the page comes back to the front, and not at all while nobody sees it.
 */

export class Poll {
    /* every() -> ms; load(signal) -> answer; take(answer); fail(error) */
    constructor(every, load, take, fail) {
        Object.assign(this, { every, load, take, fail });
        this.timer = 0;
        this.abort = null;
        this.isStopped = false;
        this.seen = () => document.hidden || this.timer === 0 || this.now();
        document.addEventListener('visibilitychange', this.seen);
        this.now();
    }

    /* Without waiting for its time; the answer is there when it resolves.  What
     * take() or fail() throws is told, and it is asked again all the same. */
    async now() {
        clearTimeout(this.timer);
        this.timer = 0;

        if (this.abort) {
            this.abort.abort();
        }

        const abort = this.abort = new AbortController();
        const began = performance.now();

        try {
            const answer = await this.load(abort.signal);

            if (!this.isOver(abort)) {
                this.take(answer);
            }
        } catch (e) {
            if (!this.isOver(abort)) {
                this.fail(e);
            }
        } finally {
            if (!this.isOver(abort)) {
                this.abort = null;
                this.later(performance.now() - began);
            }
        }
    }

    isOver(abort) {
        return this.isStopped || this.abort !== abort;
    }

    /* many replications are many pages: no more than a fifth of the time */
    later(took) {
        this.timer = setTimeout(() => {
            if (document.hidden) {
                this.later(0);
            } else {
                this.now();
            }
        }, Math.max(this.every(), 4 * took));
    }

    stop() {
        this.isStopped = true;
        clearTimeout(this.timer);
        document.removeEventListener('visibilitychange', this.seen);

        if (this.abort) {
            this.abort.abort();
        }
    }
}
