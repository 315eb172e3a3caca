----------------------------------------------------------------------------
-- The delete guard: whoever is about to delete a key on a follower, or to make
-- it empty, asks for a grant.  When there were more of them within a time than
-- is allowed, the replication is paused until a person says what is right; the
-- follower keeps what it has, and all keys stay where they wait.
--
--     chorus:guarded       R -> "rule ms reason", those that are paused   hash
--     chorus:{R}:granted   key -> when; until the key is done             hash
--
-- Of the replication: guard_window, the grants by time; guarded_ms and
-- guarded_reason while it is paused; guard_accepted, until when a person has
-- accepted all deletes; guard_objects and guard_objects_ms, how many keys the
-- last scan has counted, and when.
--
-- This file is joined to chorus.lua when the programs are built, and uses what
-- is local there; being a function of its own, it has room for more locals.
----------------------------------------------------------------------------

do local function guard_library()

local GUARDED = 'chorus:guarded'
local AUDIT = 'chorus:audit'
local AUDIT_MAX = 1000
local SLOTS = 16                -- that a window is cut into
local RULE_MAX = 64
local WHO_MAX = 64


-- Of a replication rule, for people: "guarded" and a list of those that are
-- paused; else nothing.  Read once a call, which may ask for a thousand rules.
function guard.field(rule, is_text)
    local names = {}

    if is_text or rule.kind ~= 'replication' then
        return
    end

    if guard.read_us ~= clock.us then
        guard.read_us, guard.rows = clock.us, call('HGETALL', GUARDED)
    end

    for i = 1, #guard.rows, 2 do
        if guard.rows[i + 1]:match('^%S*') == rule.id then
            names[#names + 1] = json_string(guard.rows[i])
        end
    end

    table.sort(names)

    return 'guarded', json_array(names)
end


-- What a scan that went through has counted.  A bucket that is gone on main is
-- not listed at all: that is no count.
function guard.counted(r, totals)
    local n = math.max(totals.main, totals.follower)

    if n > 0 then
        call('HSET', r.hash, 'guard_objects', digits(n), 'guard_objects_ms',
             digits(clock.ms))
    end
end


-- null, or why it is paused
function guard.json(r)
    local h = call('HMGET', r.hash, 'guarded_ms', 'guarded_reason')

    return not h[1] and 'null' or json_object({
        'reason', json_string(h[2] or ''), 'since_ms', h[1],
        'age_ms', digits(age_of(tonumber(h[1]))),
    })
end


----------------------------------------------------------------------------
-- The window: "ms:count ms:count", the begin of each slot and how many grants
-- there were in it.  A slot counts until its last moment is out of the window.
----------------------------------------------------------------------------

-- { { ms, count }, ... } of those that count, and their sum
local function window_read(r, per_ms)
    local slots, total = {}, 0
    local oldest = clock.ms - per_ms - math.ceil(per_ms / SLOTS)

    for ms, n in (call('HGET', r.hash, 'guard_window') or '')
                 :gmatch('(%d+):(%d+)')
    do
        if tonumber(ms) > oldest then
            slots[#slots + 1] = { tonumber(ms), tonumber(n) }
            total = total + tonumber(n)
        end
    end

    return slots, total
end


local function window_write(r, slots)
    local texts = {}

    for i, slot in ipairs(slots) do
        texts[i] = digits(slot[1]) .. ':' .. digits(slot[2])
    end

    call('HSET', r.hash, 'guard_window', table.concat(texts, ' '))
end


local function window_add(r, slots, per_ms)
    local width = math.ceil(per_ms / SLOTS)
    local ms = math.floor(clock.ms / width) * width
    local last = slots[#slots]

    if last and last[1] >= ms then
        last[2] = last[2] + 1
    else
        slots[#slots + 1] = { ms, 1 }
    end

    window_write(r, slots)
end


-- What was counted counts for a whole window from now on.
local function window_renew(r)
    local total = 0

    for n in (call('HGET', r.hash, 'guard_window') or ''):gmatch(':(%d+)') do
        total = total + tonumber(n)
    end

    window_write(r, { { clock.ms, total } })
end


----------------------------------------------------------------------------
-- Grants
----------------------------------------------------------------------------

local function ask_read(a)
    a.key = args_key(a)
    a.token = args_token(a)
    a.rule = args_string(a, 'rule', 0, RULE_MAX)
    a.percent = args_integer(a, 'deletes_percent', 0, 100)
    a.deletes = args_integer(a, 'deletes', 0, MS_MAX)
    a.min = args_integer(a, 'min_deletes', 0, MS_MAX)
    a.per_ms = args_integer(a, 'per_ms', 1, DELAY_MAX)
end


-- How many deletes a window may have, and in words why.  A share of what nobody
-- has counted is not known: then the least there may be.
local function allowance(r, a)
    local h = call('HMGET', r.hash, 'guard_objects', 'guard_objects_ms')
    local limit, why = nil, 'deletes'

    if a.percent > 0 and h[1] then
        limit = math.max(a.min, math.floor(h[1] * a.percent / 100))
        why = limit == a.min and 'min_deletes'
              or digits(a.percent) .. ' % of ' .. h[1] .. ' objects'
        why = why .. ', counted ' .. digits(age_of(tonumber(h[2])) / 60000)
              .. ' min ago'
    elseif a.percent > 0 and a.deletes == 0 then
        limit, why = a.min, 'min_deletes, as no scan has counted objects yet'
    end

    if a.deletes > 0 and (not limit or a.deletes < limit) then
        limit, why = a.deletes, 'deletes'
    end

    return limit or MS_MAX, why
end


-- A person has asked for it: all that waited when deletes were accepted, and
-- what a scan found that was to delete what is surplus.
local function is_wanted(r, key)
    local source, ms = origin_get(r, key)
    local accepted = call('HGET', r.hash, 'guard_accepted')

    if accepted and ms <= tonumber(accepted) then
        return true
    end

    local h = call('HMGET', scan.open(r).hash, 'deletes', 'started_ms')

    return source == 'scan' and h[1] == '1' and ms >= tonumber(h[2])
end


local function trip(r, a, limit, why)
    local reason = string.format(
        'more than %s deletes within %s s (%s)', digits(limit),
        digits(a.per_ms / 1000), why)

    call('HSET', r.hash, 'guarded_reason', reason, 'guarded_ms',
         digits(clock.ms))
    call('HSET', GUARDED, r.name, table.concat({ a.rule, digits(clock.ms),
                                                 reason }, ' '))
    r.schedule = 'chorus:schedule'
    schedule_update(r)
    -- for those who work on its keys
    call('PUBLISH', WAKE, 'paused')

    return 'tripped ' .. reason
end


-- One for a key until that is done, so that a retry counts once: "granted",
-- "tripped ..." to who is the first one too many, "guarded ..." to all after
-- it, "paused", or "lost": the key is somebody else's.
local function ask(r, a)
    if not lease_is_held(r, a.key, a.token) then
        return 'lost'
    end

    local guarded = call('HGET', r.hash, 'guarded_reason')

    if guarded then
        return 'guarded ' .. guarded
    elseif not replication_is_active(r) then
        return 'paused'
    elseif call('HEXISTS', r.granted, a.key) == 1 or is_wanted(r, a.key) then
        return 'granted'
    end

    local slots, total = window_read(r, a.per_ms)
    local limit, why = allowance(r, a)

    if total + 1 > limit then
        return trip(r, a, limit, why)
    end

    call('HSET', r.granted, a.key, digits(clock.ms))
    window_add(r, slots, a.per_ms)

    return 'granted'
end


----------------------------------------------------------------------------
-- The person
----------------------------------------------------------------------------

local function resume_read(a)
    a.accepts = args_integer(a, 'accepts', 0, 1)
    a.who = args_string(a, 'who', 1, WHO_MAX)
end


local function resume_audit(r, a, reason)
    call('LPUSH', AUDIT, json_object({
        'at_ms', digits(clock.ms), 'who', json_string(a.who), 'action',
        json_string(a.accepts == 1 and 'accept deletes' or 'resume'),
        'kind', json_string('guard'), 'id', json_string(r.name),
        'version', digits(clock.us), 'before', json_string(reason), 'after',
        'null' }))
    call('LTRIM', AUDIT, 0, AUDIT_MAX - 1)
end


-- Without the word that deletes are right the next one too many pauses it
-- again: what was counted goes on counting.  1: it goes on, 0: it was not
-- paused by the guard.
local function resume_guarded(r, a)
    local h = call('HMGET', r.hash, 'guarded_ms', 'guarded_reason')

    if not h[1] then
        return 0
    end

    if a.accepts == 1 then
        call('HSET', r.hash, 'guard_accepted', digits(clock.ms))
        call('HDEL', r.hash, 'guard_window')
    else
        window_renew(r)
    end

    call('HDEL', GUARDED, r.name)
    call('HDEL', r.hash, 'guarded_ms', 'guarded_reason')
    resume_audit(r, a, h[2] or '')

    if replication_is_active(r) then
        replication_wake(r)
    end

    return 1
end


register({
    { name = 'guard_ask', keys = 'one', flags = DRAINS, read = ask_read,
      run = ask },
    { name = 'guard_resume', keys = 'change', flags = DRAINS,
      read = resume_read, run = resume_guarded },
})

end guard_library() end
