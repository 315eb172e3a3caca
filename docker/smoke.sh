#!/bin/bash
#
# Walks the tour of README.md unattended: builds the images, starts everything,
# and fails loudly when something is not as it should be.  All of it, with the
# data, is gone afterwards; KEEP=1 leaves it running.
#
#   CHORUS_COMPOSE, CHORUS_DOCKER   other commands than "docker compose" (or
#                                   docker-compose) and docker

set -u
set -o pipefail

cd "$(dirname "$0")" || exit 1

if [[ -n ${CHORUS_COMPOSE:-} ]]; then
    read -r -a compose <<< "$CHORUS_COMPOSE"
elif docker compose version > /dev/null 2>&1; then
    compose=(docker compose)
else
    compose=(docker-compose)
fi

read -r -a docker <<< "${CHORUS_DOCKER:-docker}"


step()
{
    printf '[%3d s] %s\n' "$SECONDS" "$*"
}


fail()
{
    printf '\nsmoke.sh: %s\n\n' "$*" >&2
    "${compose[@]}" ps >&2
    "${compose[@]}" logs --tail=20 >&2
    exit 1
}


finish()
{
    local rc=$?

    [[ ${KEEP:-} ]] || "${compose[@]}" down -v > /dev/null 2>&1
    exit $rc
}


# within SECONDS WHAT COMMAND...: until it succeeds
within()
{
    local end=$((SECONDS + $1)) what=$2

    shift 2

    until "$@" > /dev/null 2>&1; do
        ((SECONDS < end)) || fail "not in time: $what"
        sleep 1
    done
}


client()
{
    "${compose[@]}" run --rm -T client "$@"
}


healthy()
{
    local n

    n=$("${compose[@]}" ps | grep -c '(healthy)')
    ((n == $1))
}


# text SIDE KEY TEXT: that object has that content
text()
{
    [[ $(client "$1" s3 cp "s3://tour/$2" - < /dev/null) == "$3" ]]
}


gone()
{
    client main s3 ls s3://tour/ < /dev/null \
        && ! client "$1" s3 ls "s3://tour/$2" < /dev/null
}


listing()
{
    # size and key, not the time
    client "$1" s3 ls --recursive s3://tour/ < /dev/null | tr -d '\r' \
        | awk '{ print $3, $4 }' | sort
}


equal()
{
    local main follower

    main=$(listing main) && follower=$(listing follower) \
        && [[ $main == "$follower" ]] \
        && (($(wc -l <<< "$main") >= $1))
}


nothing_waits()
{
    "${compose[@]}" exec -T worker chorusctl status < /dev/null
}


trap finish EXIT
trap 'exit 130' INT TERM

step "1. Secrets"
./setup demo || fail "docker/setup"

step "2. Images, and everything starts"
"${compose[@]}" up -d --build || fail "compose up"
within 300 "six healthy containers" healthy 6

step "3. The state"
"${compose[@]}" exec -T worker chorusctl status < /dev/null \
    || fail "chorusctl status"

step "4. A bucket and an object through Chorus"
client chorus s3 mb s3://tour < /dev/null || fail "cannot make a bucket"
printf 'hello' | client chorus s3 cp - s3://tour/hello --metadata colour=blue \
    || fail "cannot upload"
text main hello hello || fail "main does not have it"

step "5. It is on the follower"
within 60 "the object on the follower" text follower hello hello

step "6. With its metadata"
client follower s3api head-object --bucket tour --key hello < /dev/null \
    | grep -q '"colour": "blue"' || fail "no metadata on the follower"

step "7. A delete follows, too"
client chorus s3 rm s3://tour/hello < /dev/null || fail "cannot delete"
within 60 "the delete on the follower" gone follower hello

step "8. Four workers instead of two"
"${compose[@]}" up -d --scale worker=4 || fail "cannot scale"
within 120 "eight healthy containers" healthy 8

step "9. Many files, and a worker is killed meanwhile"
client chorus s3 sync --no-progress --only-show-errors \
    /usr/lib/python3/dist-packages/awscli/customizations s3://tour/code/ \
    < /dev/null &
upload=$!
workers=$("${compose[@]}" ps -q worker)
"${docker[@]}" kill -s KILL "${workers%%$'\n'*}" > /dev/null || fail "cannot kill a worker"
wait $upload || fail "cannot upload the files"
within 180 "main and follower are equal" equal 50
"${compose[@]}" up -d --scale worker=4 || fail "cannot start it again"

step "10. A write while Redis is away is not lost"
"${compose[@]}" stop redis || fail "cannot stop Redis"
printf 'safe' | client chorus s3 cp - s3://tour/safe || fail "cannot upload"
"${compose[@]}" start redis || fail "cannot start Redis"
within 120 "that write on the follower" text follower safe safe
within 60 "chorusctl says that all is well" nothing_waits

step "The tour is done: everything was as it should be."
