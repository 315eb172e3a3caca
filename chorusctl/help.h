/* What `chorusctl COMMAND --help` says besides the table of commands. */

#ifndef HELP_H
#define HELP_H


/* Options, examples and more of a group of commands; NULL: there is none. */
const char *help_of(const char *group);


#endif
