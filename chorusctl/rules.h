/*
 * repl, route, block, bucket pause: the rules of the dynamic policy.
 */

#ifndef RULES_H
#define RULES_H

#include "api.h"


/* Each gets the words behind the command; return an exit code. */
int rules_repl_add(const ctl_options_t *options, char **args);
int rules_repl_list(const ctl_options_t *options, char **args);
int rules_repl_show(const ctl_options_t *options, char **args);
int rules_repl_pause(const ctl_options_t *options, char **args);
int rules_repl_resume(const ctl_options_t *options, char **args);
int rules_repl_delete(const ctl_options_t *options, char **args);
int rules_repl_wait(const ctl_options_t *options, char **args);
int rules_route_add(const ctl_options_t *options, char **args);
int rules_route_list(const ctl_options_t *options, char **args);
int rules_route_show(const ctl_options_t *options, char **args);
int rules_route_delete(const ctl_options_t *options, char **args);
int rules_block_add(const ctl_options_t *options, char **args);
int rules_block_list(const ctl_options_t *options, char **args);
int rules_block_delete(const ctl_options_t *options, char **args);
int rules_pause_add(const ctl_options_t *options, char **args);
int rules_pause_list(const ctl_options_t *options, char **args);
int rules_pause_delete(const ctl_options_t *options, char **args);


#endif
