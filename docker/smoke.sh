#!/bin/bash
#
# Walks the tour of README.md unattended: runs the commands that stand there,
# looks after each step whether it is as README.md says, and fails loudly when
# it is not.  All of it, with the data, is gone afterwards; KEEP=1 leaves it
# running.  It is a project of its own, chorus-smoke, so that what is gone is
# nobody else's; with your own storages in conf/ it refuses.
#
#   CHORUS_COMPOSE, CHORUS_DOCKER   other commands than "docker compose" (or
#                                   docker-compose) and docker
#   CHORUS_SMOKE_SECONDS            a command that takes longer hangs, and fails
#                                   (the build 1800, others 600)

set -u
set -o pipefail

cd "$(dirname "$0")" || exit 1

# wins over .env
export COMPOSE_PROJECT_NAME=chorus-smoke

if grep -s '^COMPOSE_PROFILES=' .env | grep -qvw demo; then
    echo "smoke.sh: docker/.env is one for your own storages (docker/setup" \
         "own), and the tour would write to them: take another checkout" >&2
    exit 1
fi

read -r -a engine <<< "${CHORUS_DOCKER:-docker}"

if [[ -n ${CHORUS_COMPOSE:-} ]]; then
    read -r -a compose <<< "$CHORUS_COMPOSE"
elif "${engine[@]}" compose version > /dev/null 2>&1; then
    compose=("${engine[@]}" compose)
else
    compose=(docker-compose)
fi

# what the current step has printed, and the answer to a request
said=$(mktemp)
answer=$(mktemp)

limit=${CHORUS_SMOKE_SECONDS:-1800}


# as README.md has it
docker()
{
    local words=("${engine[@]}" "$@")

    [[ $1 != compose ]] || words=("${compose[@]}" "${@:2}")
    timeout --foreground -k 10 "$limit" "${words[@]}"
}


fail()
{
    {
        printf '\n---- state ----\n'
        docker compose ps
        printf '\n---- logs ----\n'
        docker compose logs --tail=20
        printf '\nsmoke.sh: FAILED after %d s: %s\n\n' "$SECONDS" "$*"
    } >&2 2>&1
    exit 1
}


finish()
{
    local rc=$?

    rm -f "$said" "$answer"
    [[ ${KEEP:-} ]] \
        || docker compose --profile demo --profile client down -v \
            --remove-orphans > /dev/null 2>&1 \
        || echo "smoke.sh: docker compose down failed" >&2
    exit $rc
}


# ---- README.md

# commands_of TITLE: the commands of the paragraph that begins with **TITLE
commands_of()
{
    awk -v title="**$1" '
        !is_code && /^(\*\*|#)/ { is_here = index($0, title) == 1 }
        /^```$/                { is_code = 0 }
        is_here && is_code     { print }
        /^```sh$/              { is_code = 1 }
    ' README.md
}


# walk TITLE: runs them; the first that fails is a failure
walk()
{
    local commands rc

    commands=$(commands_of "$1")
    [[ $commands ]] || fail "README.md has no commands for \"$1\""
    printf '\n[%3d s] %s\n' "$SECONDS" "$1"

    (set -e; eval "$commands") < /dev/null 2>&1 | tee "$said"
    rc=$?
    ((rc == 0)) || fail "\"$1\": a command ended with $rc"
}


# expect TEXT WHAT: the step has printed that line, or the beginning of one
expect()
{
    tr -d '\r' < "$said" | grep -c -e "^ *$1" > /dev/null \
        || fail "$2 (no \"$1\")"
}


# ---- what is looked at besides

# within SECONDS WHAT COMMAND...: until it succeeds
within()
{
    local end=$((SECONDS + $1)) what=$2

    shift 2

    until "$@" > /dev/null 2>&1 < /dev/null; do
        ((SECONDS < end)) || fail "not in time: $what"
        sleep 1
    done
}


healthy()
{
    local n

    n=$(docker compose ps | grep -c '(healthy)')
    ((n == $1))
}


# content SIDE KEY TEXT: that object of the bucket tour
content()
{
    [[ $(s3 "$1" s3 cp "s3://tour/$2" - < /dev/null) == "$3" ]]
}


# absent SIDE KEY: and not only because that side does not answer
absent()
{
    s3 "$1" s3 ls s3://tour/ > /dev/null < /dev/null \
        && ! s3 "$1" s3api head-object --bucket tour --key "$2" \
            > /dev/null 2>&1 < /dev/null
}


# key, size and ETag of all objects
listing()
{
    s3 "$1" s3api list-objects-v2 --bucket "$2" --output text \
        --query 'Contents[].[Key,Size,ETag]' < /dev/null | tr -d '\r'
}


# equal BUCKET COUNT: both sides have the same, and that many at least
equal()
{
    local main follower

    main=$(listing main "$1") && follower=$(listing follower "$1") \
        && [[ $main == "$follower" ]] \
        && (($(wc -l <<< "$main") >= $2))
}


# row REPLICATION: its line of chorusctl status
row()
{
    ctl status < /dev/null | tr -d '\r' | grep "^$1 "
}


# waiting REPLICATION COUNT
waiting()
{
    [[ $(row "$1" | awk '{ print $(NF - 4) }') == "$2" ]]
}


# migrated REPLICATION: its scan has ended, and nothing has failed
migrated()
{
    ctl scans < /dev/null | tr -d '\r' | awk -v name="$1" '
        $1 == name { done = $3 == "done" && $4 > 0 && $NF == 0 }
        END        { exit !done }'
}


# alive COUNT: workers, as chorusctl says
alive()
{
    ctl status < /dev/null | grep -c "^alive: .* $1 workers;"
}


# page PATH TEXT: the proxy serves it, with that in its answer
page()
{
    # shellcheck disable=SC2016 # $1 is of the shell in there
    docker compose exec -T proxy bash -c '
        exec 3<> /dev/tcp/127.0.0.1/9671
        printf "GET %s HTTP/1.0\r\n\r\n" "$1" >&3
        cat <&3' page "$1" < /dev/null | tr -d '\0\r' > "$answer" \
        && head -n 1 "$answer" | grep -q ' 200 ' && grep -q -e "$2" "$answer"
}


trap finish EXIT
trap 'exit 130' INT TERM

walk "Start."
within 300 "six healthy containers" healthy 6
page /ui/ '^Content-Security-Policy: default-src' || fail "no web page"
page /ui/ '<title>Chorus' || fail "/ui/ is not the web page"
page /ui/lib/chart.min.js 'Chart.js' || fail "the page has no Chart.js"

limit=${CHORUS_SMOKE_SECONDS:-600}

# s3 and ctl
eval "$(commands_of "Two words.")"

walk "1. Upload."
expect 'demo:tour:follower .* ' "status does not know the replication"
content main hello hello || fail "main does not have what awscli wrote"
content main world world || fail "main does not have what s3cmd wrote"

within 60 "hello on the follower" content follower hello hello
within 60 "world on the follower" content follower world world
walk "2. See it on the follower."
expect hello "the follower has another object"
expect world "the follower has another object"
expect '"colour": "blue"' "the metadata is not on the follower"

within 60 "nothing waits" waiting demo:tour:follower 0
walk "3. Pause."
expect 'tour .*paused' "the rule is not paused"

walk "4. Write."
content main later later || fail "main does not have it"
absent main world || fail "main still has what was deleted"
within 30 "status says that two keys wait" waiting demo:tour:follower 2
# long enough for what would be copied in spite of the pause
sleep 5
absent follower later || fail "it was copied in spite of the pause"
content follower world world || fail "it was deleted in spite of the pause"
waiting demo:tour:follower 2 || fail "the two keys do not wait any more"

walk "5. Resume."
within 60 "the write on the follower" content follower later later
within 60 "the delete on the follower" absent follower world
within 60 "nothing waits" waiting demo:tour:follower 0

walk "6. Migrate a pre-filled store."
within 120 "the migration is done" migrated demo:old:follower
equal old 400 || fail "main and follower are not equal after a migration"

walk "7. Check."
expect 'missing .*code/s3/utils.py' "the check has not found what is missing"
equal old 400 || fail "main and follower are not equal after a repair"
ctl check --level content --wait demo:old:follower < /dev/null \
    || fail "a check finds something after a repair"

walk "8. Explain."
expect 'Both sides have the key, with the same size and ETag' \
    "explain does not see hello on both sides"
expect 'Neither side has the key' "explain does not see that world is gone"

walk "9. Scale."
within 120 "eight healthy containers" healthy 8
within 60 "four workers say that they live" alive 4

walk "10. Kill one."
within 120 "eight healthy containers" healthy 8
within 120 "the write without Redis on the follower" content follower safe safe
within 180 "main and follower are equal" equal tour 400
within 60 "nothing waits" waiting demo:tour:follower 0
ctl check --level content --wait demo:tour:follower < /dev/null \
    || fail "a check finds something after all"

printf '\n[%3d s] The tour is done: all was as it should be.\n' "$SECONDS"
