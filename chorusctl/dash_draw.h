/* The screen of chorusctl dash. */

#ifndef DASH_DRAW_H
#define DASH_DRAW_H

#include "dash_data.h"


typedef struct {
    size_t  first;              /* replication that is at the top */
    size_t  page;               /* how many there is room for; set here */
    bool    is_held;            /* "p" */
} dash_view_t;

/* Behind initscr(). */
void dash_draw_init(void);
/* Draws all of it; what has not changed is not sent to the terminal. */
void dash_draw(const ctl_options_t *options, const dash_data_t *data,
    dash_view_t *view);


#endif
