# shellcheck shell=bash disable=SC2034
#
# Shared by demo/start and demo/stop: where things are, and how a process of
# ours is ended: by its pid, and only if it is still the program we started.

demo_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
demo_dir=$demo_root/build/demo

demo_s3_port=${CHORUS_DEMO_S3_PORT:-9669}
demo_admin_port=${CHORUS_DEMO_ADMIN_PORT:-9671}
demo_main_port=${CHORUS_DEMO_MAIN_PORT:-9001}
demo_follower_port=${CHORUS_DEMO_FOLLOWER_PORT:-9002}
demo_redis_port=${CHORUS_DEMO_REDIS_PORT:-9670}


say()
{
    printf '%s\n' "$*"
}


die()
{
    printf 'demo: %s\n' "$*" >&2
    exit 1
}


# pid_is PID NAME: that process runs and is called NAME
pid_is()
{
    [[ $1 =~ ^[0-9]+$ ]] || return 1
    [[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]
}


# has_begun PID: waits while it is still on its way to being the program
has_begun()
{
    local n

    for ((n = 50; n > 0; n--)); do
        case $(cat "/proc/$1/comm" 2>/dev/null) in
            bash | setsid | start) sleep 0.1 ;;
            *) return 0 ;;
        esac
    done
}


# end_process NAME PIDFILE SIGNAL SECONDS
end_process()
{
    local name=$1 file=$2 signal=$3 pid n

    [[ -r $file ]] || return 0
    pid=$(<"$file")

    has_begun "$pid"

    # comm has 15 characters
    if pid_is "$pid" "${name:0:15}"; then
        kill "-$signal" "$pid" 2>/dev/null

        for ((n = $4 * 10; n > 0; n--)); do
            pid_is "$pid" "${name:0:15}" || break
            sleep 0.1
        done

        pid_is "$pid" "${name:0:15}" && kill -KILL "$pid" 2>/dev/null
    fi

    rm -f "$file"
}


# port_is_free PORT: nobody listens there on loopback
port_is_free()
{
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}


# wait_port PORT NAME PIDFILE LOG
wait_port()
{
    local n

    for ((n = 0; n < 100; n++)); do
        port_is_free "$1" || return 0
        # not by its name: on a busy machine it may not have begun yet
        kill -0 "$(<"$3")" 2>/dev/null || break
        sleep 0.1
    done

    tail -n 5 "$4" >&2
    die "$2 did not start; its log is $4"
}


start_redis()
{
    mkdir -p "$demo_dir/redis"
    setsid redis-server --bind 127.0.0.1 --port "$demo_redis_port" \
        --dir "$demo_dir/redis" --appendonly yes --save '' \
        > "$demo_dir/log/redis.log" 2>&1 < /dev/null &
    echo $! > "$demo_dir/redis.pid"
    wait_port "$demo_redis_port" redis-server "$demo_dir/redis.pid" \
        "$demo_dir/log/redis.log"
}


start_nginx()
{
    nginx -p "$demo_dir" -e "$demo_dir/log/nginx-error.log" \
        -c "$demo_dir/nginx.conf" || die "nginx did not start (see above)"
}


start_worker()
{
    local n

    # of one that was ended: its lines are not those that are waited for
    rm -f "$demo_dir/log/worker.log"

    setsid build/chorus-worker -c "$demo_dir/chorus.json" \
        > "$demo_dir/log/worker.log" 2>&1 < /dev/null &
    echo $! > "$demo_dir/worker.pid"

    # its first line comes when it has read its configuration
    for ((n = 0; n < 100; n++)); do
        [[ -s $demo_dir/log/worker.log ]] && break
        kill -0 "$(<"$demo_dir/worker.pid")" 2>/dev/null || break
        sleep 0.1
    done

    pid_is "$(<"$demo_dir/worker.pid")" chorus-worker \
        || die "chorus-worker did not start; its log is" \
               "$demo_dir/log/worker.log"
}
