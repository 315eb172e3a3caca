/*
 * The scripts are made from the table of commands, so that they know all of
 * them; what stands behind a command is an option, or completed as a file.
 */

#include "completion.h"

#include <stdio.h>
#include <string.h>


typedef struct {
    const char  *group;
    const char  *options;
} completion_options_t;


static const completion_options_t  completion_options[] = {
    { "dash", "-n" },
    { "bucket", "--user --storage" },
    { "explain", "--user" },
    { "audit", "-n --kind --who" },
    { "failed", "-s --reason --all --yes" },
    { "retry", "--all --reason" },
    { "resume", "--accept-deletes" },
    { "forget", "--yes" },
    { "migrate", "--wait" },
    { "check", "--level --report --resume --wait" },
    { "repair", "--level --full --delete-surplus --wait" },
    { "repl", "--to --user --prefix --tags --migrate --guard --id --wait "
              "--yes" },
    { "route", "--to --user --id --wait --yes" },
    { "block", "--user --reason --reads --id --wait --yes" },
    { "pause", "--to --user --id --wait --yes" },
    { NULL, NULL }
};


static const char  completion_bash_head[] =
    "# bash completion for chorusctl: source <(chorusctl completion bash)\n"
    "_chorusctl() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} i words=() choice=\n"
    "    case ${COMP_WORDS[COMP_CWORD-1]} in\n"
    "        -t) return ;;\n"
    "        -u) COMPREPLY=() ; compopt +o default ; return ;;\n"
    "        -o) COMPREPLY=($(compgen -W json -- \"$cur\")) ; return ;;\n"
    "        --level)\n"
    "            COMPREPLY=($(compgen -W 'quick full content' -- \"$cur\"))\n"
    "            return ;;\n"
    "    esac\n"
    "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
    "        case ${COMP_WORDS[i]} in\n"
    "            -[uto]) ((i++)) ;;\n"
    "            -*) ;;\n"
    "            *) words+=(\"${COMP_WORDS[i]}\") ;;\n"
    "        esac\n"
    "    done\n"
    "    if [[ ${#words[@]} == 0 && $cur == -* ]]; then\n"
    "        choice='-u -t -o -h --help --version'\n"
    "    elif [[ $cur == -* ]]; then\n"
    "        choice='--help'\n"
    "        case ${words[0]} in\n";

static const char  completion_bash_middle[] =
    "        esac\n"
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
    "        '(- *)'{-h,--help}'[help]' '(- *)--version[version]' \\\n"
    "        '1:command:->command' '2:verb:->verb' '*:argument:->argument'\n"
    "    case $state in\n"
    "    command) compadd --";

static const char  completion_zsh_middle[] =
    "        *) _files ;;\n"
    "        esac ;;\n"
    "    esac\n"
    "    if [[ $state == argument && $PREFIX != -* ]]; then\n"
    "        _files\n"
    "    elif [[ $state == (verb|argument) && $PREFIX == -* ]]; then\n"
    "        compadd -- --help\n"
    "        case $line[1] in\n";

static const char  completion_zsh_tail[] =
    "        esac\n"
    "    fi\n"
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


/* Those of a group, whatever its verb is. */

static void
completion_options_of(const char *middle, const char *end)
{
    const completion_options_t  *row;

    for (row = completion_options; row->group != NULL; row++) {
        printf("        %s)%s%s%s", row->group, middle, row->options, end);
    }
}


bool
completion_print(const char *shell, completion_words_pt words)
{
    if (strcmp(shell, "bash") == 0) {
        fputs(completion_bash_head, stdout);
        completion_options_of(" choice+=' ", "' ;;\n");
        fputs(completion_bash_middle, stdout);
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
        fputs(completion_zsh_middle, stdout);
        completion_options_of(" compadd -- ", " ;;\n");
        fputs(completion_zsh_tail, stdout);

        return true;
    }

    return false;
}
