/*
 * The scripts are made from the table of commands, so that they know all of
 * them; what stands behind a command is completed as a file.
 */

#include "completion.h"

#include <stdio.h>
#include <string.h>


static const char  completion_bash_head[] =
    "# bash completion for chorusctl: source <(chorusctl completion bash)\n"
    "_chorusctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} i words=() choice=\n"
    "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
    "        -t) return ;;\n"
    "        -u) COMPREPLY=() ; compopt +o default ; return ;;\n"
    "        -o) COMPREPLY=($(compgen -W json -- \"$cur\")) ; return ;;\n"
    "    esac\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "            -[uto]) ((i++)) ;;\n"
    "            -*) ;;\n"
    "            *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ ${#words[@]} == 0 && $cur == -* ]]; then\n"
    "        choice='-u -t -o -h --help'\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        choice='--help'\n"
    "    fi\n"
    "    case \"${words[*]}\" in\n";

static const char  completion_bash_tail[] =
    "    esac\n"
    "    [[ -z $choice ]] ||\n"
    "        COMPREPLY=($(compgen -W \"$choice\" -- \"$cur\"))\n"
    "}\n"
    "complete -o default -F _chorusctl chorusctl\n";

static const char  completion_zsh_head[] =
    "#compdef chorusctl\n"
    "# zsh completion for chorusctl: source <(chorusctl completion zsh)\n"
    "_chorusctl() {\n"
    "    local state line\n"
    "    _arguments -C -S \\\n"
    "        '-u[the control API]:URL:' \\\n"
    "        '-t[its token]:file:_files' \\\n"
    "        '-o[for programs]:format:(json)' \\\n"
    "        '(- *)'{-h,--help}'[help]' \\\n"
    "        '1:command:->command' '2:verb:->verb' '*:argument:_files'\n"
    "    case $state in\n"
    "    command) compadd --";

static const char  completion_zsh_tail[] =
    "        *) _files ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "}\n"
    "if [[ $funcstack[1] == _chorusctl ]]; then\n"
    "    _chorusctl \"$@\"\n"
    "else\n"
    "    compdef _chorusctl chorusctl\n"
    "fi\n";


static void
completion_groups(completion_words_pt words)
{
    size_t       i;
    const char  *group, *verb, *last = "";

    for (i = 0; words(i, &group, &verb); i++) {
        if (strcmp(group, last) != 0) {
            printf(" %s", group);
            last = group;
        }
    }
}


/* `format` is given the group; then come its verbs, and `end`. */

static void
completion_verbs(completion_words_pt words, const char *begin,
    const char *middle, const char *end)
{
    size_t       i;
    const char  *group, *verb, *last = "";

    for (i = 0; words(i, &group, &verb); i++) {

        if (verb == NULL) {
            continue;
        }

        if (strcmp(group, last) != 0) {
            printf("%s%s%s%s", last[0] ? end : "", begin, group, middle);
            last = group;
        }

        printf(" %s", verb);
    }

    if (last[0] != '\0') {
        fputs(end, stdout);
    }
}


bool
completion_print(const char *shell, completion_words_pt words)
{
    if (strcmp(shell, "bash") == 0) {
        fputs(completion_bash_head, stdout);
        fputs("        '') choice+='", stdout);
        completion_groups(words);
        fputs("' ;;\n", stdout);
        completion_verbs(words, "        ", ") choice+='", "' ;;\n");
        fputs(completion_bash_tail, stdout);

        return true;
    }

    if (strcmp(shell, "zsh") == 0) {
        fputs(completion_zsh_head, stdout);
        completion_groups(words);
        fputs(" ;;\n    verb) case $line[1] in\n", stdout);
        completion_verbs(words, "        ", ") compadd --", " ;;\n");
        fputs(completion_zsh_tail, stdout);

        return true;
    }

    return false;
}
