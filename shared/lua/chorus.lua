#!lua name=chorus
--
-- The work queue of Chorus: every transition of a key, atomically, in Redis.
--
-- The unit of work is "make key K on follower F equal to key K on main".  An
-- event (or a scan) only says that K may differ, so marks may be coalesced,
-- repeated and made on suspicion; a mark may never get lost.
--
-- For one replication R a key is in exactly one place:
--
--     dirty | bulk       waits for a worker        zset  key -> since
--     busy               a worker holds its lease  hash  key -> lease record
--     retry              waits for its next try    zset  key -> next try
--     failed             parked, with a reason     zset  key -> when parked
--                        (those in blocked, too, need a person)
--
-- and besides, only if it applies:
--
--     leases             of a busy key             zset  key -> expiry
--     again              marked while busy         zset  key -> since
--     since, bulksince   of a key in busy, retry or failed: the first change
--                        not synced yet; which of the two tells its source
--     facets             narrower than everything  hash  key -> bits
--     trouble            failed before             hash  key -> JSON
--     recheck            a write to the follower   zset  stage and key -> due
--                        may still be on its way
--     granted            the delete guard let it   hash  key -> when
--                        be deleted
--
-- All times are milliseconds of Redis' own clock.  docs/data-model.md has the
-- whole picture.
--
-- Every function checks its arguments first and writes afterwards, so an
-- error never leaves half a transition behind.
--
-- A machine that loses power may: Redis then does the first few writes of a
-- transition when it starts for the second time.  So each write names what it
-- touches (no ZPOPMIN), a key is put into its next place before it is removed
-- from the last one, and heal() makes something whole of what it finds.


local VERSION = 8

-- channel: "R has something to claim"; "paused", somebody is; "policy"
local WAKE = 'chorus:wake'
local OWED = 'chorus:owed'      -- hash: the scan that all replications owe

local EVERYTHING = 7            -- facets: 1 content, 2 tags, 4 acl
local BULK_SHARE = 8            -- one claim of so many is left to bulk
local WALK_MAX = 1000           -- replications a claim looks at
local WALK_PAGE = 100
local AGAINS_MAX = 8            -- how often it looks at some again
local REAP_PER_VISIT = 64       -- due retries, leases and rechecks a claim
                                -- moves per R, of each
local BATCH_MAX = 1000          -- keys a claim, a reap or a retry of all moves
local LEASE_MAX = 86400000      -- a day, in ms
local DELAY_MAX = 31536000000   -- a year, in ms
local MS_MAX = 9007199254740991 -- 2^53 - 1: integers are exact in Lua
local WORKER_LEN_MAX = 256
local CODE_LEN_MAX = 64
local REASON_LEN_MAX = 512
local GENERATION_LEN_MIN = 16
local GENERATION_LEN_MAX = 64
local DEBT_LEN_MAX = 64         -- why a scan is owed
local KEYS_MAX = 1000000        -- keys of one replication, unless limited
local RUN_LEN_MAX = 128         -- name of a run of Redis
local STAGES_MAX = 9            -- of rechecks: one digit
local STAGES_LEN_MAX = 128
local HEAL_WORK = 500           -- keys a call of heal looks at, about
local HEAL_PAGE = 200

-- what a doubt is about, as bits
local DOUBT_KEY = 1
local DOUBT_BUCKET = 2
local DOUBT_BOTH = 3

local COUNTERS = { 'claimed', 'synced', 'deleted', 'equal', 'bytes',
                   'failed_attempts', 'expired', 'dropped' }

-- Sections below and files joined to this one that others ask; tables, because
-- a chunk of Lua has room for 200 locals.
local blocked = {}
local trace = {}
local scan = {}
local guard = {}
local forget = {}

-- redis.call does not exist yet while the library is being loaded
local function call(...)
    return redis.call(...)
end


-- The moment of the running call; read once, so all it does happens "at once".
local clock = { ms = 0, us = 0 }


local function clock_read()
    local t = call('TIME')
    clock.us = t[1] * 1000000 + t[2]
    clock.ms = math.floor(clock.us / 1000)
    trace.max = nil
end


-- Lua would print 1.7e+15
local function digits(n)
    return string.format('%.0f', n)
end


local function age_of(ms)
    return math.max(0, clock.ms - ms)
end


----------------------------------------------------------------------------
-- Replications: user:bucket:follower[:target-bucket], percent-encoded parts
----------------------------------------------------------------------------

local function percent_decode(s)
    return (s:gsub('%%(%x%x)', function(hex)
        return string.char(tonumber(hex, 16))
    end))
end


local function replication_part_ok(part)
    local plain = part:gsub('%%%x%x', '')
    return part ~= '' and not plain:find('[^A-Za-z0-9._-]')
end


-- { user, bucket, follower, target } or nil if the name is malformed
local function replication_parts(name)
    local parts = {}

    for part in (name .. ':'):gmatch('([^:]*):') do
        if not replication_part_ok(part) then
            return nil
        end
        parts[#parts + 1] = percent_decode(part)
    end

    if #parts == 3 then
        parts[4] = parts[2]
    end

    return #parts == 4 and parts or nil
end


local function replication_follower(name)
    return percent_decode(name:match('^[^:]*:[^:]*:([^:]*)') or '')
end


-- The record all functions below work on: key names, nothing cached.
local function replication_open(name, schedule)
    local hash = 'chorus:{' .. name .. '}'

    return {
        name = name,
        schedule = schedule,
        hash = hash,
        dirty = hash .. ':dirty',
        bulk = hash .. ':bulk',
        busy = hash .. ':busy',
        leases = hash .. ':leases',
        again = hash .. ':again',
        retry = hash .. ':retry',
        failed = hash .. ':failed',
        blocked = hash .. ':blocked',
        since = hash .. ':since',
        bulksince = hash .. ':bulksince',
        facets = hash .. ':facets',
        trouble = hash .. ':trouble',
        recheck = hash .. ':recheck',
        granted = hash .. ':granted',
        uploads = hash .. ':uploads',
        twins = hash .. ':twins',
        history = hash .. ':history',
    }
end


local function replication_create(r, set)
    call('SADD', set, r.name)

    if call('EXISTS', r.hash) == 1 then
        return
    end

    local parts = replication_parts(r.name)

    call('HSET', r.hash, 'user', parts[1], 'bucket', parts[2],
         'follower', parts[3], 'target', parts[4], 'state', 'active',
         'token', '0', 'created_ms', digits(clock.ms))
    call('HINCRBY', scan.DISCOVER, 'made', 1)
    scan.kick(r)
end


local function replication_is_active(r)
    local h = call('HMGET', r.hash, 'state', 'suspended', 'guarded_ms',
                   'forget_ms')
    return h[1] == 'active' and not h[2] and not h[3] and not h[4]
end


local function replication_has_work(r)
    return call('EXISTS', r.dirty, r.bulk) > 0
end


-- It goes on: with what has waited, and with its scan.
local function replication_wake(r)
    scan.kick(r)

    if replication_has_work(r) then
        call('PUBLISH', WAKE, r.name)
    end
end


-- Tokens only ever grow, also when Redis came back without its last second
-- or the replication was removed and made again: hence the clock.
local function replication_tokens(r, n)
    local last = tonumber(call('HGET', r.hash, 'token') or 0)
    local first = math.max(last + 1, clock.us)
    call('HSET', r.hash, 'token', digits(first + n - 1))
    return first
end


----------------------------------------------------------------------------
-- JSON: cjson prints large integers as reals and passes bad UTF-8 through,
-- both of which strict parsers refuse; so it only reads here, never writes
----------------------------------------------------------------------------

local JSON_ESCAPES = { ['"'] = '\\"', ['\\'] = '\\\\', ['\n'] = '\\n',
                       ['\r'] = '\\r', ['\t'] = '\\t' }

-- first byte, lowest and highest second byte, length: RFC 3629, section 4
local UTF8_FORMS = {
    { 0x01, 0x7f, 0x00, 0x00, 1 },
    { 0xc2, 0xdf, 0x80, 0xbf, 2 },
    { 0xe0, 0xe0, 0xa0, 0xbf, 3 },
    { 0xe1, 0xec, 0x80, 0xbf, 3 },
    { 0xed, 0xed, 0x80, 0x9f, 3 },
    { 0xee, 0xef, 0x80, 0xbf, 3 },
    { 0xf0, 0xf0, 0x90, 0xbf, 4 },
    { 0xf1, 0xf3, 0x80, 0xbf, 4 },
    { 0xf4, 0xf4, 0x80, 0x8f, 4 },
}

local UTF8_REPLACEMENT = '\239\191\189'


-- length of the well-formed character at i, or nil; NUL counts as ill-formed
-- because JSON parsers in C refuse it
local function utf8_length(s, i)
    local first, second = s:byte(i, i + 1)

    for _, form in ipairs(UTF8_FORMS) do
        if first >= form[1] and first <= form[2] then
            local length = form[5]
            if length == 1 then
                return 1
            end
            if second and second >= form[3] and second <= form[4]
               and s:find('^' .. ('[\128-\191]'):rep(length - 1), i + 1)
            then
                return length
            end
        end
    end
end


-- s with ill-formed bytes replaced by U+FFFD, and whether it is still exact
local function utf8_clean(s)
    if not s:find('[%z\128-\255]') then
        return s, true
    end

    local out, exact, i = {}, true, 1

    while i <= #s do
        local length = utf8_length(s, i)
        out[#out + 1] = length and s:sub(i, i + length - 1)
                        or UTF8_REPLACEMENT
        exact = exact and length ~= nil
        i = i + (length or 1)
    end

    return table.concat(out), exact
end


local function json_string(s)
    local clean = utf8_clean(s)
    return '"' .. clean:gsub('[%c"\\]', function(c)
        return JSON_ESCAPES[c] or string.format('\\u%04x', c:byte())
    end) .. '"'
end


-- fields: name, text, name, text, ... where text is JSON already
local function json_object(fields)
    local out = {}

    for i = 1, #fields, 2 do
        out[#out + 1] = '"' .. fields[i] .. '":' .. fields[i + 1]
    end

    return '{' .. table.concat(out, ',') .. '}'
end


local function json_array(texts)
    return '[' .. table.concat(texts, ',') .. ']'
end


-- "key" is exact unless "key_base16" stands beside it
local function json_key_fields(key)
    local fields = { 'key', json_string(key) }
    local _, exact = utf8_clean(key)

    if not exact then
        fields[3] = 'key_base16'
        fields[4] = '"' .. key:gsub('.', function(c)
            return string.format('%02x', c:byte())
        end) .. '"'
    end

    return fields
end


----------------------------------------------------------------------------
-- Arguments: a reader that remembers its first error
----------------------------------------------------------------------------

local function printable(s)
    return (s:sub(1, 64):gsub('[^ -~]', '?'))
end


local function args_reject(a, name, why, value)
    a.error = a.error or string.format('ARGV[%d] %s: %s, got "%s"', a.next,
                                       name, why, printable(value))
end


local function args_more(a)
    return not a.error and a.next <= #a.argv
end


-- value: nil after an error, "" is a good key
local function args_string(a, name, len_min, len_max)
    local value = a.argv[a.next]

    if a.error then
        return nil
    end

    if not value then
        a.error = string.format('ARGV[%d] %s: missing', a.next, name)
        return nil
    end

    if #value < len_min or #value > len_max then
        args_reject(a, name, string.format('must be %d to %d bytes long',
                                           len_min, len_max), value)
    end

    a.next = a.next + 1
    return value
end


local function args_key(a)
    return args_string(a, 'key', 0, MS_MAX)
end


local function args_integer(a, name, min, max)
    local value = a.argv[a.next] or digits(min)
    local n = #value <= 16 and value:find('^%-?%d+$') and tonumber(value)

    if not n or n < min or n > max then
        args_reject(a, name, 'must be an integer from ' .. digits(min)
                             .. ' to ' .. digits(max), value)
    end

    return args_string(a, name, 0, MS_MAX) and n
end


-- as it is written in the lease record
local function args_token(a)
    local n = args_integer(a, 'token', 0, MS_MAX)
    return n and digits(n)
end


local function args_one_of(a, name, list)
    local value = a.argv[a.next] or list[1]
    local known, words = false, {}

    for _, candidate in ipairs(list) do
        known = known or candidate == value
        words[#words + 1] = candidate ~= '' and candidate or nil
    end

    if not known then
        args_reject(a, name, 'must be one of ' .. table.concat(words, ', '),
                    value)
    end

    return args_string(a, name, 0, MS_MAX)
end


-- milliseconds, with commas in between: when to look again at what is doubted
local function args_stages(a)
    local value = a.argv[a.next] or ''
    local stages, is_good = {}, #value <= STAGES_LEN_MAX

    for part in value:gmatch('[^,]+') do
        local ms = #part <= 16 and part:find('^%d+$') and tonumber(part)
        is_good = is_good and ms and ms >= 1 and ms <= DELAY_MAX
        stages[#stages + 1] = ms
    end

    if not is_good or #stages > STAGES_MAX then
        args_reject(a, 'rechecks', 'must be up to ' .. STAGES_MAX
                    .. ' numbers of milliseconds with commas between', value)
    end

    return args_string(a, 'rechecks', 0, MS_MAX) and stages
end


local function args_doubt(a)
    return args_integer(a, 'doubt', 0, DOUBT_BOTH)
end


local function args_replication(a)
    local value = a.argv[a.next] or ''

    if a.argv[a.next] and not replication_parts(value) then
        args_reject(a, 'replication', 'must be user:bucket:follower'
                    .. '[:target-bucket] with percent-encoded parts', value)
    end

    return args_string(a, 'replication', 0, MS_MAX)
end


-- read() until the arguments end
local function args_groups(a, read)
    local groups = {}

    while args_more(a) do
        groups[#groups + 1] = read(a)
    end

    return groups
end


local function args_end(a)
    if args_more(a) then
        args_reject(a, 'unexpected', 'is one argument too many',
                    a.argv[a.next])
    end
end


----------------------------------------------------------------------------
-- Facets: which parts of a key may differ; no entry means everything
----------------------------------------------------------------------------

local function facets_set(r, key, bits)
    if bits == EVERYTHING then
        call('HDEL', r.facets, key)
    else
        call('HSET', r.facets, key, bits)
    end
end


local function facets_get(r, key)
    return tonumber(call('HGET', r.facets, key) or EVERYTHING)
end


local function facets_add(r, key, bits)
    local old = call('HGET', r.facets, key)

    if old then
        facets_set(r, key, bit.bor(tonumber(old), bits))
    end
end


----------------------------------------------------------------------------
-- Origin: source and time of the first change not synced, while a key is in
-- busy, retry or failed (in dirty and bulk the score says it)
----------------------------------------------------------------------------

local function origin_put(r, key, source, ms)
    local zset = source == 'event' and r.since or r.bulksince
    call('ZADD', zset, digits(ms), key)
end


local function origin_get(r, key)
    local ms = call('ZSCORE', r.since, key)

    if ms then
        return 'event', tonumber(ms)
    end

    return 'scan', tonumber(call('ZSCORE', r.bulksince, key) or clock.ms)
end


local function origin_drop(r, key)
    call('ZREM', r.since, key)
    call('ZREM', r.bulksince, key)
end


-- An event beats a scan: lag counts from what a client did, not from when a
-- scan came by.  Of the same source the older one stays.  What both have marked
-- is looked at whole: of an event that is about tags, the content is taken for
-- synced, and where a scan has a doubt it never may have been.
local function origin_merge(r, key, source, ms)
    local old_source, old_ms = origin_get(r, key)

    if source == old_source then
        if ms < old_ms then
            origin_put(r, key, source, ms)
        end

    else
        facets_set(r, key, EVERYTHING)
        if source == 'event' then
            origin_put(r, key, source, ms)
            call('ZREM', r.bulksince, key)
        end
    end
end


----------------------------------------------------------------------------
-- Trouble: what happened to a key that failed, until it is done
----------------------------------------------------------------------------

local function trouble_read(r, key)
    local text = call('HGET', r.trouble, key)
    return text and cjson.decode(text)
end


local function trouble_write(r, key, t)
    local fields = {
        'attempts', digits(t.attempts), 'code', json_string(t.code),
        'reason', json_string(t.reason), 'first_ms', digits(t.first_ms),
        'last_ms', digits(t.last_ms),
    }

    if t.blocked then
        fields[#fields + 1] = 'blocked'
        fields[#fields + 1] = 'true'
    end

    call('HSET', r.trouble, key, json_object(fields))
end


local function trouble_attempts(r, key)
    local t = trouble_read(r, key)
    return t and t.attempts or 0
end


-- Code and reason may be a storage's own words: cut, not refused.
local function trouble_add(r, key, code, reason, is_blocked)
    local old = trouble_read(r, key)

    trouble_write(r, key, {
        attempts = (old and old.attempts or 0) + 1,
        code = code:sub(1, CODE_LEN_MAX),
        reason = reason:sub(1, REASON_LEN_MAX),
        first_ms = old and old.first_ms or clock.ms,
        last_ms = clock.ms,
        blocked = is_blocked,
    })
end


-- A fresh start: the whole series of attempts is ahead again.  The reason
-- stays readable until the key is done.
local function trouble_forgive(r, key)
    local t = trouble_read(r, key)

    if t then
        t.attempts = 0
        trouble_write(r, key, t)
    end
end


----------------------------------------------------------------------------
-- Debts: marks that are gone, or were never taken.  Only a scan finds the
-- keys again, so a scan is owed until one that began later has ended.
----------------------------------------------------------------------------

-- hash: chorus:{R}, or chorus:owed for all replications.  Each debt gets a
-- larger id: the scan that began before it does not pay it.
local function debt_add(hash, reason, ms)
    local old = call('HMGET', hash, 'owed_id', 'owed_since')
    local last = tonumber(call('HGET', hash, 'owed_last') or 0)
    local id = digits(math.max(last + 1, clock.us))

    call('HSET', hash, 'owed_id', id, 'owed_last', id,
         'owed_reason', reason, 'owed_since',
         digits(math.min(ms, tonumber(old[2] or ms))))

    if hash ~= OWED then
        scan.kick({ name = hash:match('^chorus:{(.*)}$') })
    end

    return old[1] and 0 or 1
end


local function debt_pay(hash, id)
    if call('HGET', hash, 'owed_id') ~= id then
        return 0
    end

    call('HDEL', hash, 'owed_id', 'owed_reason', 'owed_since')
    return 1
end


-- nil when nothing is owed
local function debt_of(hash)
    local h = call('HMGET', hash, 'owed_id', 'owed_reason', 'owed_since')
    return h[1] and { id = h[1], reason = h[2], since = tonumber(h[3]) }
end


local function debt_read(a)
    a.reason = args_string(a, 'reason', 1, DEBT_LEN_MAX)
    a.age_ms = args_integer(a, 'age_ms', 0, MS_MAX)
end


local function debt_since(a)
    return math.max(0, clock.ms - a.age_ms)
end


local function owe(r, a)
    replication_create(r, a.set)
    return debt_add(r.hash, a.reason, debt_since(a))
end


local function paid_read(a)
    a.id = args_token(a)
end


local function paid(r, a)
    return debt_pay(r.hash, a.id)
end


local function owe_all(keys, a)
    return debt_add(keys[1], a.reason, debt_since(a))
end


local function paid_all(keys, a)
    return debt_pay(keys[1], a.id)
end


-- How many keys the replication may have.
local function limit_of(r)
    return tonumber(call('HGET', r.hash, 'keys_max') or KEYS_MAX)
end


local function limit_read(a)
    a.keys_max = args_integer(a, 'keys_max', 0, MS_MAX)
end


local function limit(r, a)
    replication_create(r, a.set)

    if a.keys_max == 0 then
        call('HDEL', r.hash, 'keys_max')
    else
        call('HSET', r.hash, 'keys_max', digits(a.keys_max))
    end

    return limit_of(r)
end


----------------------------------------------------------------------------
-- Marks: one row per place a key can be in
----------------------------------------------------------------------------

local function queue_put(r, key, source, ms)
    call('ZADD', source == 'event' and r.dirty or r.bulk, digits(ms), key)
end


-- To the queue of its source, from a place that the caller then removes it
-- from; facets are in place.  Returns the name of the queue.
local function queue_return(r, key)
    local source, ms = origin_get(r, key)

    queue_put(r, key, source, ms)
    origin_drop(r, key)

    return source == 'event' and 'dirty' or 'bulk'
end


-- From whatever is there of it to the queue, with the first time known and
-- everything to look at.
local function queue_rescue(r, key)
    local source, ms = 'event', clock.ms

    for _, name in ipairs({ 'dirty', 'since', 'again', 'bulk',
                            'bulksince' }) do
        local score = call('ZSCORE', r[name], key)
        if score then
            source = name:find('^bulk') and 'scan' or 'event'
            ms = tonumber(score)
            break
        end
    end

    queue_put(r, key, source, ms)
    call('ZREM', source == 'event' and r.bulk or r.dirty, key)
    call('HDEL', r.busy, key)
    call('HDEL', r.facets, key)
    origin_drop(r, key)

    for _, name in ipairs({ 'leases', 'again', 'retry', 'failed',
                            'blocked' }) do
        call('ZREM', r[name], key)
    end
end


-- nil: the key is nowhere, follower and main are equal as far as we know
local function place_of(r, key)
    if call('ZSCORE', r.dirty, key) then
        return 'dirty'
    elseif call('HEXISTS', r.busy, key) == 1 then
        return 'busy'
    elseif call('ZSCORE', r.bulk, key) then
        return 'bulk'
    elseif call('ZSCORE', r.retry, key) then
        return 'retry'
    elseif call('ZSCORE', r.failed, key) then
        return 'failed'
    end
end


-- Each returns 1 if a sync is owed now that was not owed before.
-- m: source, ms, facets
local MARK_IN = {}


function MARK_IN.nowhere(r, key, m)
    queue_put(r, key, m.source, m.ms)
    if m.facets ~= EVERYTHING then
        facets_set(r, key, m.facets)
    end
    return 1
end


function MARK_IN.dirty(r, key, m)
    if m.source == 'event' then
        call('ZADD', r.dirty, 'LT', digits(m.ms), key)
        facets_add(r, key, m.facets)
    else
        facets_set(r, key, EVERYTHING)      -- as in origin_merge
    end
    return 0
end


function MARK_IN.bulk(r, key, m)
    if m.source == 'event' then
        call('ZADD', r.dirty, digits(m.ms), key)
        call('ZREM', r.bulk, key)
        facets_set(r, key, EVERYTHING)      -- as in origin_merge
    else
        call('ZADD', r.bulk, 'LT', digits(m.ms), key)
        facets_add(r, key, m.facets)
    end
    return 0
end


-- The running sync may have read main before this change.  Without a lease
-- nothing would ever end it: half a transition.
function MARK_IN.busy(r, key, m)
    if not call('ZSCORE', r.leases, key) then
        queue_rescue(r, key)
        return 1
    end
    -- what is in again counts as an event
    local facets = m.source == 'event' and m.facets or EVERYTHING
    if call('ZADD', r.again, 'NX', digits(m.ms), key) == 1 then
        facets_set(r, key, facets)
        return 1
    end
    call('ZADD', r.again, 'LT', digits(m.ms), key)
    facets_add(r, key, facets)
    return 0
end


-- The follower is in trouble, not the content: the back-off stays.
function MARK_IN.retry(r, key, m)
    origin_merge(r, key, m.source, m.ms)
    facets_add(r, key, m.facets)
    return 0
end


-- What was given up is no longer what main holds, or somebody asks for a
-- repair: either way it gets another chance.
function MARK_IN.failed(r, key, m)
    origin_merge(r, key, m.source, m.ms)
    facets_add(r, key, m.facets)
    trouble_forgive(r, key)
    queue_return(r, key)
    call('ZREM', r.failed, key)
    call('ZREM', r.blocked, key)
    return 1
end


local function key_mark(r, key, m)
    return MARK_IN[place_of(r, key) or 'nowhere'](r, key, m)
end


-- Somebody whose lease was lost may have overwritten the follower with older
-- content after its successor was done.
local function key_suspect(r, key)
    key_mark(r, key, { source = 'event', ms = clock.ms,
                       facets = EVERYTHING })
end


----------------------------------------------------------------------------
-- Rechecks: a write to the follower whose outcome nobody knows may be on its
-- way still, and be done after everything that came later.  So the key is
-- looked at again, several times, until that must be over.  A member is the
-- digit of a stage and the key.
----------------------------------------------------------------------------

-- A new doubt begins all stages anew.  Of one replication there are as many
-- members as keys; what is beyond is owed as a scan.
local function recheck_add(r, key, stages)
    local room = limit_of(r) - call('ZCARD', r.recheck)

    for i, ms in ipairs(stages) do
        local due = digits(clock.ms + ms)

        if i <= room then
            call('ZADD', r.recheck, 'GT', due, i .. key)

        elseif call('ZSCORE', r.recheck, i .. key) then
            call('ZADD', r.recheck, 'XX', 'GT', due, i .. key)

        else
            call('HINCRBY', r.hash, 'dropped', 1)
            debt_add(r.hash, 'overflow', clock.ms)
            return
        end
    end
end


local function doubt_add(r, key, doubt, stages)
    if bit.band(doubt, DOUBT_KEY) ~= 0 then
        recheck_add(r, key, stages)
    end

    if bit.band(doubt, DOUBT_BUCKET) ~= 0 then
        recheck_add(r, '', stages)
    end
end


-- No client did something, so it is a scan's mark.  What was given up stays
-- so, but whoever takes it up again looks at everything.
local function recheck_mark(r, key)
    if place_of(r, key) == 'failed' then
        facets_add(r, key, EVERYTHING)
    else
        key_mark(r, key, { source = 'scan', ms = clock.ms,
                           facets = EVERYTHING })
    end
end


local function rechecks_reap(r, limit)
    local members = call('ZRANGE', r.recheck, '-inf', digits(clock.ms),
                         'BYSCORE', 'LIMIT', 0, limit)

    for _, member in ipairs(members) do
        recheck_mark(r, member:sub(2))
        call('ZREM', r.recheck, member)
    end
end


----------------------------------------------------------------------------
-- Leases: the record in busy is "token facets worker"
----------------------------------------------------------------------------

-- the caller removes the key from its queue
local function lease_begin(r, key, source, ms, token, c)
    local facets = facets_get(r, key)

    call('ZADD', r.leases, digits(clock.ms + c.lease_ms), key)
    origin_put(r, key, source, ms)
    call('HSET', r.busy, key, digits(token) .. ' ' .. facets .. ' '
                              .. c.worker)

    if facets ~= EVERYTHING then
        call('HDEL', r.facets, key)
    end

    trace.add('claim', r, key, digits(token), c.worker)

    local item = { r.name, key, token, facets, trouble_attempts(r, key),
                   age_of(ms), source }

    -- an upload to the follower that whoever held it before has begun
    if r.has_uploads == nil then
        r.has_uploads = call('EXISTS', r.uploads) == 1
    end

    if r.has_uploads then
        item[8] = call('HGET', r.uploads, key) or nil
    end

    return item
end


-- nil without a record, or with one that is none
local function lease_read(r, key)
    local record = call('HGET', r.busy, key)
    local token, facets = (record or ''):match('^(%d+) ([1-7]) ')

    return token and { token = token, facets = tonumber(facets) }
end


local function lease_is_held(r, key, token)
    local lease = lease_read(r, key)
    return lease ~= nil and lease.token == token
end


-- Ends the lease on key.  settle(r, key, facets) puts the key into its next
-- place and returns the name of that, or nil when it is done; facets are
-- those of the lease.  A mark that came meanwhile is made now: waiting in
-- again is the same as arriving a moment after the end.
local function lease_end(r, key, settle, how)
    local lease = lease_read(r, key)
    local again = call('ZSCORE', r.again, key)
    local pending = again and { source = 'event', ms = tonumber(again),
                                facets = facets_get(r, key) }
    local place = settle(r, key, lease and lease.facets or EVERYTHING)

    if pending then
        MARK_IN[place or 'nowhere'](r, key, pending)
        call('ZREM', r.again, key)
    end

    call('HDEL', r.busy, key)
    call('ZREM', r.leases, key)

    if not place then
        origin_drop(r, key)
        call('HDEL', r.trouble, key)
        call('HDEL', r.granted, key)
    end

    trace.add('end', r, key, lease and lease.token or '', how)
end


-- 1 if the token still holds, else 0 and a suspicion
local function lease_finish(r, key, token, settle, how)
    if not lease_is_held(r, key, token) then
        key_suspect(r, key)
        trace.add('late', r, key, token, how)
        return 0
    end

    lease_end(r, key, settle, how)
    return 1
end


-- back to where it came from, nothing learnt
local function settle_back(r, key, facets)
    local place = queue_return(r, key)
    facets_set(r, key, facets)
    return place
end


-- Whoever held it may have sent something to the follower that is on its way
-- still, made its bucket perhaps, and may never tell.
local function leases_reap(r, limit, stages)
    local keys = call('ZRANGE', r.leases, '-inf', digits(clock.ms),
                      'BYSCORE', 'LIMIT', 0, limit)

    for _, key in ipairs(keys) do
        doubt_add(r, key, DOUBT_BOTH, stages)
        lease_end(r, key, settle_back, 'expired')
    end

    if #keys > 0 then
        call('HINCRBY', r.hash, 'expired', #keys)
    end

    return #keys
end


local function retries_reap(r, limit)
    local keys = call('ZRANGE', r.retry, '-inf', digits(clock.ms),
                      'BYSCORE', 'LIMIT', 0, limit)

    for _, key in ipairs(keys) do
        queue_return(r, key)
        call('ZREM', r.retry, key)
    end
end


----------------------------------------------------------------------------
-- Schedule: when a replication next has something to claim
----------------------------------------------------------------------------

-- Microseconds as fraction, so that order holds within a millisecond.
local function schedule_now()
    return clock.us / 1000
end


local function schedule_set(r, ms)
    call('ZADD', r.schedule, string.format('%.3f', ms), r.name)
end


local function zset_first_score(zset)
    local first = call('ZRANGE', zset, 0, 0, 'WITHSCORES')
    return tonumber(first[2])
end


-- the least of the scores that are there, or nil
local function least_first_score(...)
    local least

    for i = 1, select('#', ...) do
        local score = zset_first_score((select(i, ...)))
        if score and (not least or score < least) then
            least = score
        end
    end

    return least
end


local function schedule_due(r)
    if not replication_is_active(r) then
        return nil
    end

    local probe, is_held = blocked.due(r)

    if is_held then
        return probe or least_first_score(r.leases)
    elseif replication_has_work(r) then
        return schedule_now()
    end

    return blocked.sooner(probe,
                          least_first_score(r.retry, r.leases, r.recheck))
end


-- A replication that is due keeps its turn, unless it just had it.
local function schedule_update(r, had_turn)
    local due = schedule_due(r)

    if not due then
        call('ZREM', r.schedule, r.name)
        return
    end

    if had_turn then
        schedule_set(r, math.max(due, schedule_now()))
        return
    end

    local old = tonumber(call('ZSCORE', r.schedule, r.name) or nil)

    if not old or old > due or due > clock.ms + 1 then
        schedule_set(r, due)
    end
end


-- Every change of a replication runs in here: keeps the schedule right, and
-- wakes the workers once when there was nothing to claim and now there is.
local function replication_change(r, change, had_turn)
    local had_work = replication_has_work(r)
    local reply = change(r)

    schedule_update(r, had_turn)

    if not had_work and replication_has_work(r)
       and replication_is_active(r)
    then
        call('PUBLISH', WAKE, r.name)
    end

    return reply
end


----------------------------------------------------------------------------
-- The generation: whoever remembers another one knows that all is gone
----------------------------------------------------------------------------

local generation = {}


do          -- the locals of a chunk are counted: 200

local RUNS_MAX = 8              -- whose last signs of life are kept
local ALIVE_MS = 1000           -- between two of them


function generation.read(a)
    a.candidate = args_string(a, 'candidate', GENERATION_LEN_MIN,
                              GENERATION_LEN_MAX)

    if args_more(a) then
        a.run = args_string(a, 'run', 1, RUN_LEN_MAX)
        a.known = args_string(a, 'known', 0, RUN_LEN_MAX)
    end

    if (a.run ~= nil) ~= (a.set ~= nil) then
        a.error = a.error or 'KEYS[3] chorus:alive and ARGV[2] run go together'
    end
end


-- Begins one when there is none.  A Redis that begins empty knows of no
-- change that was ever made, so all of it is owed from here on.
local function generation_begin(keys, a)
    if call('SET', keys[1], a.candidate, 'NX') then
        debt_add(keys[2], 'empty', clock.ms)
        return a.candidate
    end

    return call('GET', keys[1])
end


local function alive_trim(alive)
    local runs = call('HGETALL', alive)
    local oldest, oldest_ms

    for i = 1, #runs, 2 do
        if not oldest or tonumber(runs[i + 1]) < oldest_ms then
            oldest, oldest_ms = runs[i], tonumber(runs[i + 1])
        end
    end

    if #runs / 2 > RUNS_MAX then
        call('HDEL', alive, oldest)
    end
end


-- When this run of Redis was last heard of.  What an earlier run has of
-- itself tells those who knew it how much of it is lost.
local function alive_beat(alive, run)
    local last = tonumber(call('HGET', alive, run) or 0)

    if math.abs(clock.ms - last) < ALIVE_MS then
        return last
    end

    call('HSET', alive, run, digits(clock.ms))
    alive_trim(alive)
    return clock.ms
end


function generation.run(keys, a)
    local name = generation_begin(keys, a)

    if not a.run then
        return name
    end

    local known = tonumber(call('HGET', keys[3], a.known) or 0)

    return { name, alive_beat(keys[3], a.run), known }
end

end


----------------------------------------------------------------------------
-- Functions: mark
----------------------------------------------------------------------------

local function mark_read_one(a)
    local age_ms = args_integer(a, 'age_ms', 0, MS_MAX)
    local facets = args_integer(a, 'facets', 0, EVERYTHING)

    return { ms = age_ms, facets = facets == 0 and EVERYTHING or facets,
             key = args_key(a) }
end


local function mark_read(a)
    a.source = args_one_of(a, 'source', { 'event', 'scan' })
    a.marks = args_groups(a, mark_read_one)
end


-- How many more keys may come in; those in again are busy already.
local function mark_room(r)
    return limit_of(r) - call('ZCARD', r.dirty) - call('ZCARD', r.bulk)
           - call('HLEN', r.busy) - call('ZCARD', r.retry)
           - call('ZCARD', r.failed)
end


-- Past the ceiling a key that is nowhere is not taken in: it becomes part of
-- the debt.  All others are there already and cost nothing more.
local function mark_or_drop(r, m, dropped)
    if place_of(r, m.key) then
        return key_mark(r, m.key, m)
    end

    dropped.n = dropped.n + 1
    dropped.ms = math.min(dropped.ms, m.ms)
    return 0
end


local function mark(r, a)
    replication_create(r, a.set)

    if a.source == 'event' and call('HEXISTS', r.hash, 'forget_ms') == 1 then
        forget.keep(r, 'it is still written to')
    end

    local queued, room = 0, mark_room(r)
    local dropped = { n = 0, ms = clock.ms }

    if a.source == 'event' then
        call('HSET', r.hash, 'changed_ms', digits(clock.ms))
    end

    for _, m in ipairs(a.marks) do
        m.source = a.source
        m.ms = math.max(0, clock.ms - m.ms)

        if queued < room then
            queued = queued + key_mark(r, m.key, m)
        else
            queued = queued + mark_or_drop(r, m, dropped)
        end
    end

    if dropped.n > 0 then
        debt_add(r.hash, 'overflow', dropped.ms)
        call('HINCRBY', r.hash, 'dropped', dropped.n)
    end

    return queued
end


----------------------------------------------------------------------------
-- Functions: claim
----------------------------------------------------------------------------

local function claim_read(a)
    a.worker = args_string(a, 'worker_id', 1, WORKER_LEN_MAX)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
    a.max = args_integer(a, 'max', 1, BATCH_MAX)
    a.stages = args_stages(a)
    a.rooms = {}                -- of followers that do not get all

    while args_more(a) do
        local text = args_string(a, 'excluded follower', 1, MS_MAX)
        local name, room = text:match('^(.+)=(%d+)$')
        a.rooms[name or text] = tonumber(room or 0)
    end
end


local function claim_room_of(c, r)
    return c.rooms[replication_follower(r.name)] or math.huge
end


local function claim_from(r, zset, source, n, token, c)
    if n <= 0 then
        return
    end

    local first, keys = blocked.pick(r, zset, n), {}

    for i = 1, #first, 2 do
        c.items[#c.items + 1] = lease_begin(r, first[i], source,
                                            tonumber(first[i + 1]), token,
                                            c)
        keys[#keys + 1] = first[i]
        token = token + 1
    end

    call('ZREM', zset, unpack(keys))
end


-- How many of the next n claims are bulk's by right.
local function claim_bulk_share(r, n)
    local after = call('HINCRBY', r.hash, 'claimed', n)
    return math.floor(after / BULK_SHARE)
           - math.floor((after - n) / BULK_SHARE)
end


-- Claims up to n keys; true if there is more.
local function claim_share(r, n, c)
    local dirty = call('ZCARD', r.dirty)
    local bulk = call('ZCARD', r.bulk)
    n = math.min(n, dirty + bulk, claim_room_of(c, r))

    if n > 0 then
        n = math.min(n, blocked.share(r))
    end

    if n == 0 then
        return false
    end

    local follower = replication_follower(r.name)
    if c.rooms[follower] then
        c.rooms[follower] = c.rooms[follower] - n
    end

    local from_bulk = math.max(claim_bulk_share(r, n), n - dirty)
    from_bulk = math.min(from_bulk, bulk)

    local from_dirty = n - from_bulk
    local token = replication_tokens(r, n)

    claim_from(r, r.dirty, 'event', from_dirty, token, c)
    claim_from(r, r.bulk, 'scan', from_bulk, token + from_dirty, c)

    return n < dirty + bulk
end


local function claim_room(c)
    return c.max - #c.items
end


-- Those found first may have had nothing after all: then the ones that were
-- passed over have their room.  A few times, so that a call stays short.
local function claim_walks_again(c)
    for follower in pairs(c.passed) do
        if c.rooms[follower] > 0 then
            c.agains = c.agains + 1
            return c.agains <= AGAINS_MAX
        end
    end

    return false
end


-- The next due replications, as many as there is room for, in all and for
-- their follower.  The schedule is left alone until the end of the call, so
-- ranks hold.
local function claim_walk(c)
    local found, of = {}, {}

    local function look(name)
        local follower = replication_follower(name)
        of[follower] = (of[follower] or 0) + 1

        if of[follower] > (c.rooms[follower] or math.huge)
           or #found == claim_room(c)
        then
            c.skipped[#c.skipped + 1] = name
            c.passed[follower] = c.rooms[follower] and true
        else
            found[#found + 1] = replication_open(name, c.schedule)
        end
    end

    if claim_walks_again(c) then
        local names = c.skipped
        c.skipped, c.passed = {}, {}
        for _, name in ipairs(names) do
            look(name)
        end
    end

    while #found < claim_room(c) and c.walked < WALK_MAX do
        local page = call('ZRANGE', c.schedule, '-inf',
                          string.format('%.3f', schedule_now()), 'BYSCORE',
                          'LIMIT', c.walked, WALK_PAGE)

        for _, name in ipairs(page) do
            c.walked = c.walked + 1
            look(name)
            if #found == claim_room(c) then
                return found
            end
        end

        if #page < WALK_PAGE then
            break
        end
    end

    return found
end


-- Equal shares of the room that is left; returns those that have more.
local function claim_round(list, c)
    local share = math.ceil(claim_room(c) / #list)
    local rest, of = {}, {}

    for _, r in ipairs(list) do
        local follower = replication_follower(r.name)
        of[follower] = (of[follower] or 0) + 1
    end

    for _, r in ipairs(list) do
        local follower = replication_follower(r.name)
        local n = math.min(share, claim_room(c), math.ceil(
                           claim_room_of(c, r) / of[follower]))
        of[follower] = of[follower] - 1
        if n > 0 and claim_share(r, n, c) then
            rest[#rest + 1] = r
        end
    end

    return rest
end


local function claim_open(list, c)
    local open = {}

    for _, r in ipairs(list) do
        if replication_is_active(r) then
            r.had_work = replication_has_work(r)
            retries_reap(r, REAP_PER_VISIT)
            leases_reap(r, REAP_PER_VISIT, c.stages)
            rechecks_reap(r, REAP_PER_VISIT)
            blocked.visit(r)
            open[#open + 1] = r
        end
        c.visited[#c.visited + 1] = r
    end

    return open
end


-- Those that had their turn go behind the others.
local function claim_close(c)
    for _, r in ipairs(c.visited) do
        schedule_update(r, true)
        if r.had_work == false and replication_has_work(r) then
            call('PUBLISH', WAKE, r.name)
        end
    end

    -- the walk ended among those without room: next time it starts behind
    if c.walked >= WALK_MAX and claim_room(c) > 0 then
        for _, name in ipairs(c.skipped) do
            schedule_set(replication_open(name, c.schedule), schedule_now())
        end
    end
end


local function claim(keys, c)
    local rest = {}

    c.schedule, c.items = keys[1], {}
    c.walked, c.visited, c.skipped = 0, {}, {}
    c.agains, c.passed = 0, {}

    repeat
        local due = claim_walk(c)
        for _, r in ipairs(claim_round(claim_open(due, c), c)) do
            rest[#rest + 1] = r
        end
    until #due == 0 or claim_room(c) == 0

    while #rest > 0 and claim_room(c) > 0 do
        rest = claim_round(rest, c)
    end

    claim_close(c)

    return c.items
end


----------------------------------------------------------------------------
-- Functions: what becomes of a lease
----------------------------------------------------------------------------

local function renew_read(a)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
    a.leases = args_groups(a, function()
        return { name = args_replication(a), key = args_key(a),
                 token = args_token(a) }
    end)
end


-- Never shortens a lease, so the schedule is at worst early, and a claim that
-- comes by too early corrects it.
local function renew(keys, a)
    local replies = {}

    for i, lease in ipairs(a.leases) do
        local r = replication_open(lease.name)
        local held = lease_is_held(r, lease.key, lease.token)

        if held then
            call('ZADD', r.leases, 'GT', digits(clock.ms + a.lease_ms),
                 lease.key)
        end

        replies[i] = held and 1 or 0
    end

    return replies
end


-- settle_of(group) returns the function that settles its key.  A Redis that
-- lost its data may not know r any more; a suspicion needs it.
local function leases_finish(r, a, settle_of, how)
    local replies = {}

    replication_create(r, a.set)

    for i, group in ipairs(a.groups) do
        doubt_add(r, group.key, group.doubt, a.stages)
        replies[i] = lease_finish(r, group.key, group.token,
                                  settle_of(group), how or group.outcome)
    end

    return replies
end


local function done_read(a)
    a.stages = args_stages(a)
    a.groups = args_groups(a, function()
        return { key = args_key(a), token = args_token(a),
                 outcome = args_one_of(a, 'outcome',
                                       { 'synced', 'deleted', 'equal' }),
                 bytes = args_integer(a, 'bytes', 0, MS_MAX),
                 doubt = args_doubt(a) }
    end)
end


local function done_settle(group)
    return function(r, key)
        call('HINCRBY', r.hash, group.outcome, 1)
        call('HINCRBY', r.hash, 'bytes', digits(group.bytes))
        blocked.well(r, key)
        scan.settle(r, key, group.outcome, group.bytes)
    end
end


local function done(r, a)
    return leases_finish(r, a, done_settle)
end


local function fail_read(a)
    a.stages = args_stages(a)
    a.groups = args_groups(a, function()
        return { key = args_key(a), token = args_token(a),
                 delay_ms = args_integer(a, 'delay_ms', -1, DELAY_MAX),
                 code = args_string(a, 'code', 0, MS_MAX),
                 reason = args_string(a, 'reason', 0, MS_MAX),
                 doubt = args_doubt(a) }
    end)
end


local function fail_settle(group)
    return function(r, key, facets)
        local place = group.delay_ms < 0 and 'failed' or 'retry'

        trouble_add(r, key, group.code, group.reason)
        call('ZADD', r[place],
             digits(clock.ms + math.max(0, group.delay_ms)), key)
        facets_set(r, key, facets)
        call('HINCRBY', r.hash, 'failed_attempts', 1)

        if place == 'failed' then
            scan.give_up(r, key)
        end

        return place
    end
end


local function fail(r, a)
    return leases_finish(r, a, fail_settle, 'failed')
end


local function release_read(a)
    a.stages = args_stages(a)
    a.groups = args_groups(a, function()
        return { key = args_key(a), token = args_token(a),
                 doubt = args_doubt(a) }
    end)
end


local function release(r, a)
    return leases_finish(r, a, function() return settle_back end,
                         'released')
end


local function reap_read(a)
    a.stages = args_stages(a)
end


local function reap(r, a)
    return leases_reap(r, BATCH_MAX, a.stages)
end


local function doubt_read(a)
    a.stages = args_stages(a)
    a.groups = args_groups(a, function()
        return { key = args_key(a), doubt = args_doubt(a) }
    end)
end


-- What was doubted in a report that Redis has perhaps forgotten.
local function doubt(r, a)
    replication_create(r, a.set)

    for _, group in ipairs(a.groups) do
        doubt_add(r, group.key, group.doubt, a.stages)
    end

    return #a.groups
end


----------------------------------------------------------------------------
-- Functions: heal.  Once per run of Redis, since only a start can leave half a
-- transition; all workers share the work and claim when it is done.
----------------------------------------------------------------------------

local heal_read, heal

do

-- Where a key may be that is not whole.  One that is only in dirty is, but
-- for its facets.
local HEAL_PHASES = {
    { 'HSCAN', 'facets' }, { 'HSCAN', 'busy' }, { 'ZSCAN', 'leases' },
    { 'ZSCAN', 'again' }, { 'ZSCAN', 'retry' }, { 'ZSCAN', 'failed' },
    { 'ZSCAN', 'since' }, { 'ZSCAN', 'bulksince' }, { 'HSCAN', 'trouble' },
    { 'ZSCAN', 'bulk' }, { 'ZSCAN', 'blocked' }, { 'HSCAN', 'granted' },
}


local function heal_look(r, key)
    local k = { lease = lease_read(r, key), places = 0 }

    for _, name in ipairs({ 'dirty', 'bulk', 'retry', 'failed', 'leases',
                            'again', 'since', 'bulksince', 'blocked' }) do
        k[name] = call('ZSCORE', r[name], key)
    end
    for _, name in ipairs({ 'busy', 'trouble', 'granted' }) do
        k[name] = call('HEXISTS', r[name], key) == 1
    end
    for _, name in ipairs({ 'dirty', 'bulk', 'busy', 'retry', 'failed' }) do
        k.places = k.places + (k[name] and 1 or 0)
    end

    return k
end


-- what is wrong with the key, or nil
local function heal_fault(k)
    local is_away = k.busy or k.retry or k.failed

    if k.places > 1 then
        return 'in two places'
    elseif k.busy and not (k.leases and k.lease) then
        return 'busy without lease'
    elseif k.leases and not k.busy then
        return 'lease without busy'
    elseif k.again and not k.busy then
        return 'again without busy'
    elseif k.since and k.bulksince then
        return 'in since and in bulksince'
    elseif is_away and not k.since and not k.bulksince then
        return 'no origin'
    elseif not is_away and (k.since or k.bulksince) then
        return 'stray origin'
    elseif (k.retry or k.failed) and not k.trouble then
        return 'no trouble'
    elseif k.trouble and k.places == 0 then
        return 'stray trouble'
    elseif k.blocked and not k.failed then
        return 'stray blocked'
    elseif k.granted and k.places == 0 then
        return 'stray granted'
    end
end


-- Somebody works on it, so it stays his; what else is known of it comes after
-- that.
local function heal_busy(r, key, k)
    local ms = math.min(tonumber(k.again or clock.ms),
                        tonumber(k.dirty or k.since or clock.ms))

    call('ZADD', r.again, digits(ms), key)
    call('HDEL', r.facets, key)

    if not k.since then
        call('ZADD', r.since, digits(ms), key)
    end

    for _, name in ipairs({ 'bulksince', 'dirty', 'bulk', 'retry',
                            'failed', 'blocked' }) do
        call('ZREM', r[name], key)
    end
end


-- Narrower than everything may be that of a mark which was not made, while
-- the one that was made has left no trace.
local function heal_facets(r, key, k)
    call('HDEL', r.facets, key)

    if k.lease and k.lease.facets ~= EVERYTHING then
        call('ZADD', r.again, 'NX', digits(clock.ms), key)
    end
end


local function heal_key(r, key, stages)
    local k = heal_look(r, key)
    local fault = heal_fault(k)

    if not fault then
        heal_facets(r, key, k)
        if k.blocked then
            call('HSETNX', r.hash, 'probe_ms', digits(clock.ms))
        end

    elseif fault == 'stray blocked' then
        call('ZREM', r.blocked, key)

    elseif fault == 'stray granted' then
        call('HDEL', r.granted, key)

    elseif fault == 'stray trouble' then
        call('HDEL', r.granted, key)
        call('HDEL', r.trouble, key)
        call('HDEL', r.facets, key)
        call('ZREM', r.blocked, key)

    elseif k.lease and k.leases then
        heal_busy(r, key, k)

    else
        if k.busy or k.leases then
            doubt_add(r, key, DOUBT_BOTH, stages)
        end
        queue_rescue(r, key)
    end

    return fault
end


local function heal_begin(h, run)
    if call('HGET', h.hash, 'run') == run then
        return
    end

    call('SUNIONSTORE', h.todo, h.set)
    call('HSET', h.hash, 'run', run, 'name', '', 'phase', '1', 'cursor', '0')
end


-- One page of one replication.  Returns how much work that was.
local function heal_page(h, r)
    local at = call('HMGET', h.hash, 'phase', 'cursor')
    local phase = HEAL_PHASES[tonumber(at[1])]
    local page = call(phase[1], r[phase[2]], at[2], 'COUNT', HEAL_PAGE)

    for i = 1, #page[2], 2 do
        local fault = heal_key(r, page[2][i], h.stages)
        if fault then
            h.found[#h.found + 1] = r.name .. ' ' .. printable(page[2][i])
                                    .. ': ' .. fault
        end
    end

    if page[1] ~= '0' then
        call('HSET', h.hash, 'cursor', page[1])

    elseif tonumber(at[1]) < #HEAL_PHASES then
        call('HSET', h.hash, 'phase', digits(at[1] + 1), 'cursor', '0')

    else
        call('HSET', h.hash, 'name', '', 'phase', '1', 'cursor', '0')
        call('SREM', h.todo, r.name)
    end

    return #page[2] / 2 + 5
end


-- the replication that is being healed, or nil after the last
local function heal_next(h)
    local name = call('HGET', h.hash, 'name')

    if not name or name == '' then
        name = call('SRANDMEMBER', h.todo)
        if name then
            call('HSET', h.hash, 'name', name, 'phase', '1', 'cursor', '0')
        end
    end

    return name and replication_open(name, h.schedule)
end


function heal_read(a)
    a.run = args_string(a, 'run', 1, RUN_LEN_MAX)
    a.stages = args_stages(a)
end


function heal(keys, a)
    local h = { hash = keys[1], schedule = keys[2], set = keys[3],
                todo = keys[1] .. ':todo', stages = a.stages, found = {} }
    local work = 0

    heal_begin(h, a.run)

    while work < HEAL_WORK do
        local r = heal_next(h)
        if not r then
            return { 1, h.found }
        end

        work = work + replication_change(r, function()
            replication_create(r, h.set)
            return heal_page(h, r)
        end)
    end

    return { 0, h.found }
end

end


----------------------------------------------------------------------------
-- Functions: the operator's
----------------------------------------------------------------------------

local function retry_read(a)
    a.keys = args_groups(a, args_key)
end


-- Parked ones first; a page of them leaves the zset, so the next call sees
-- the next page.
local function retry_candidates(r)
    local keys = call('ZRANGE', r.failed, 0, BATCH_MAX - 1)
    local room = BATCH_MAX - #keys

    if room > 0 then
        for _, key in ipairs(call('ZRANGE', r.retry, 0, room - 1)) do
            keys[#keys + 1] = key
        end
    end

    return keys
end


local function retry_one(r, key)
    if not call('ZSCORE', r.failed, key) and not call('ZSCORE', r.retry, key)
    then
        return 0
    end

    trouble_forgive(r, key)
    queue_return(r, key)
    call('ZREM', r.failed, key)
    call('ZREM', r.retry, key)
    call('ZREM', r.blocked, key)
    return 1
end


local function retry(r, a)
    local moved = 0

    blocked.forgive(r)

    for _, key in ipairs(#a.keys > 0 and a.keys or retry_candidates(r)) do
        moved = moved + retry_one(r, key)
    end

    return moved
end


-- Also works ahead of the first mark: made here, it is made paused.
local function state_set(r, a, state)
    replication_create(r, a.set)

    if call('HGET', r.hash, 'state') == state then
        return 0
    end

    call('HSET', r.hash, 'state', state)
    return 1
end


local function pause(r, a)
    local changed = state_set(r, a, 'paused')

    if changed == 1 then
        -- for those who work on its keys
        call('PUBLISH', WAKE, 'paused')
    end

    return changed
end


local function resume(r, a)
    local changed = state_set(r, a, 'active')

    if changed == 1 and replication_is_active(r) then
        replication_wake(r)
    end

    return changed
end


----------------------------------------------------------------------------
-- Functions: reports
----------------------------------------------------------------------------

local function lag_of(...)
    local first = least_first_score(...)
    return first and age_of(first) or 0
end


-- A key in again is busy too.  What scans found is not lag but a backlog, and
-- what is only to be looked at again is neither.
-- What is owed may be a change of a client, so it counts.
local function stats_collect(r)
    local debt = debt_of(r.hash)

    return {
        debt = debt,
        owed = debt and 1 or 0,
        dirty = call('ZCARD', r.dirty),
        bulk = call('ZCARD', r.bulk),
        busy = call('HLEN', r.busy),
        again = call('ZCARD', r.again),
        retry = call('ZCARD', r.retry),
        failed = call('ZCARD', r.failed),
        blocked = call('ZCARD', r.blocked),
        recheck = call('ZCARD', r.recheck),
        lag_ms = math.max(lag_of(r.dirty, r.since, r.again),
                          debt and age_of(debt.since) or 0),
        bulk_lag_ms = lag_of(r.bulk, r.bulksince),
    }
end


local STATS = { 'dirty', 'bulk', 'busy', 'again', 'retry', 'failed',
                'blocked', 'recheck', 'owed', 'lag_ms', 'bulk_lag_ms' }


-- null, or what is owed; the id is what chorus_paid asks for
local function debt_json(debt)
    return not debt and 'null' or json_object({
        'id', debt.id, 'reason', json_string(debt.reason),
        'since_ms', digits(debt.since), 'age_ms', digits(age_of(debt.since)),
    })
end


local function stats_fields(stats)
    local fields = {}

    for _, name in ipairs(STATS) do
        fields[#fields + 1] = name
        fields[#fields + 1] = digits(stats[name])
    end

    return fields
end


-- Redis keeps counters as 64-bit decimals: their text is passed on
local function counters_json(r)
    local values = call('HMGET', r.hash, unpack(COUNTERS))
    local fields = {}

    for i, name in ipairs(COUNTERS) do
        fields[#fields + 1] = name
        fields[#fields + 1] = values[i] or '0'
    end

    return json_object(fields)
end


local function stats_json(r, stats)
    local h = call('HMGET', r.hash, 'user', 'bucket', 'follower', 'target',
                   'state', 'created_ms', 'suspended', 'guarded_ms',
                   'forget_ms')
    local fields = {
        'replication', json_string(r.name),
        'user', json_string(h[1] or ''),
        'bucket', json_string(h[2] or ''),
        'follower', json_string(h[3] or ''),
        'target', json_string(h[4] or ''),
        'state', json_string((h[7] or h[8] or h[9]) and 'paused' or h[5]
                             or ''),
        'created_ms', h[6] or '0',
    }

    for _, text in ipairs(stats_fields(stats)) do
        fields[#fields + 1] = text
    end

    fields[#fields + 1] = 'debt'
    fields[#fields + 1] = debt_json(stats.debt)
    fields[#fields + 1] = 'held'
    fields[#fields + 1] = blocked.json(r)
    fields[#fields + 1] = 'guard'
    fields[#fields + 1] = guard.json(r)
    fields[#fields + 1] = 'parked_for'
    fields[#fields + 1] = blocked.reason_json(r)
    fields[#fields + 1] = 'counters'
    fields[#fields + 1] = counters_json(r)

    return json_object(fields)
end


-- nil for a replication nobody marked yet
local function stats(r)
    if call('EXISTS', r.hash) == 0 then
        return false
    end

    return stats_json(r, stats_collect(r))
end


local function totals_add(totals, stats)
    for _, name in ipairs(STATS) do
        if name:find('lag_ms$') then
            totals[name] = math.max(totals[name] or 0, stats[name])
        else
            totals[name] = (totals[name] or 0) + stats[name]
        end
    end
end


local function status_read(a)
    a.cursor = args_integer(a, 'cursor', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)
end


-- Totals are those of the page: a call's work does not grow with the number
-- of replications.
local function status(keys, a)
    local page = call('SSCAN', keys[1], digits(a.cursor), 'COUNT', a.count)
    local rows, totals = {}, {}

    for _, name in ipairs(STATS) do
        totals[name] = 0
    end

    for i, name in ipairs(page[2]) do
        local r = replication_open(name)
        local row = stats_collect(r)
        totals_add(totals, row)
        rows[i] = stats_json(r, row)
    end

    return json_object({
        'replications_total', digits(call('SCARD', keys[1])),
        'cursor', page[1],
        'debt', debt_json(debt_of(OWED)),
        'totals', json_object(stats_fields(totals)),
        'replications', json_array(rows),
    })
end


local function failed_read(a)
    a.offset = args_integer(a, 'offset', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)
end


-- row: the fields that come first
local function failed_row(r, key, state, score, row)
    local t = trouble_read(r, key) or { attempts = 0, code = '',
                                        reason = '', first_ms = 0,
                                        last_ms = 0 }
    local source, since = origin_get(r, key)
    local fields = {
        'state', json_string(state), 'source', json_string(source),
        'attempts', digits(t.attempts), 'code', json_string(t.code),
        'reason', json_string(t.reason), 'first_ms', digits(t.first_ms),
        'last_ms', digits(t.last_ms), 'since_ms', digits(since),
        'age_ms', digits(age_of(since)),
    }

    if state == 'retrying' then
        fields[#fields + 1] = 'retry_in_ms'
        fields[#fields + 1] = digits(math.max(0, score - clock.ms))
    end

    for _, list in ipairs({ json_key_fields(key), fields }) do
        for _, text in ipairs(list) do
            row[#row + 1] = text
        end
    end

    return json_object(row)
end


local function failed_rows(r, zset, state, offset, count, rows)
    if count <= 0 then
        return
    end

    local page = call('ZRANGE', zset, digits(offset),
                      digits(offset + count - 1), 'WITHSCORES')

    for i = 1, #page, 2 do
        rows[#rows + 1] = failed_row(r, page[i], state,
                                     tonumber(page[i + 1]), {})
    end
end


-- One list: the parked ones, longest first, then the retrying ones, next
-- attempt first.
local function failed(r, a)
    local parked = call('ZCARD', r.failed)
    local rows = {}

    failed_rows(r, r.failed, 'parked', a.offset, a.count, rows)
    failed_rows(r, r.retry, 'retrying', math.max(0, a.offset - parked),
                a.count - #rows, rows)

    return json_array(rows)
end


----------------------------------------------------------------------------
-- Blocked: what only a person can mend (credentials, rights, quota).  Such a
-- key is parked, and in the zset blocked besides.  One of them is tried now
-- and then, further and further apart; when it is done, all come back.  When
-- it is not the key alone (the storage knows no such credentials, or ROW
-- failures without a success in between) the replication is held: its queue
-- stays as it is, and only a probe is given out.
--
-- A hold must not wedge what would go: the probe is any of the keys that wait,
-- and when it turns out that some go and others do not, it takes twice as many
-- in a row until the next hold.
--
-- Of the replication: held_code, held_reason, held_first, held_last,
-- held_count while it is held; probe_ms, when one is tried next; probe_pause;
-- probe_out, while one is; blocked_row, failures in a row; blocked_limit, how
-- many make a hold; freed, while those that are parked come back.
----------------------------------------------------------------------------

blocked.ROW = 8
blocked.ROW_MAX = 1048576


-- When the next one is tried, or nil, and whether the replication is held.
function blocked.due(r)
    local h = call('HMGET', r.hash, 'probe_ms', 'held_first', 'freed')

    if not h[1] then
        return nil, false
    end

    local is_any = call('EXISTS', r.blocked) == 1

    if h[2] then
        is_any = is_any or call('EXISTS', r.dirty, r.bulk, r.retry,
                                r.recheck) > 0
        return blocked.sooner(is_any and tonumber(h[1]) or nil,
                              least_first_score(r.leases)), true
    end

    return is_any and (h[3] and schedule_now() or tonumber(h[1])) or nil,
           false
end


function blocked.sooner(a, b)
    return a and b and math.min(a, b) or a or b
end


-- How many keys may be claimed now.
function blocked.share(r)
    local share = r.share or BATCH_MAX

    if r.share then
        r.share = 0
    end

    return share
end


-- The next n of a queue, with scores.
function blocked.pick(r, zset, n)
    if not r.share then
        return call('ZRANGE', zset, 0, n - 1, 'WITHSCORES')
    end

    local key = call('ZRANDMEMBER', zset)
    return { key, call('ZSCORE', zset, key) }
end


-- Back to their queues: those tried longest ago.
function blocked.take(r, limit)
    for _, key in ipairs(call('ZRANGE', r.blocked, 0, limit - 1)) do
        if call('ZSCORE', r.failed, key) then
            queue_return(r, key)
        end
        call('ZREM', r.failed, key)
        call('ZREM', r.blocked, key)
    end
end


function blocked.forget(r)
    call('HDEL', r.hash, 'held_code', 'held_reason', 'held_first',
         'held_last', 'held_count', 'probe_ms', 'probe_pause', 'probe_out',
         'blocked_row', 'blocked_limit', 'freed')
end


-- What a claim does that comes by.  r.share: how many it may have.
function blocked.visit(r)
    local h = call('HMGET', r.hash, 'probe_ms', 'held_first', 'freed',
                   'probe_pause')
    local is_due = h[1] and tonumber(h[1]) <= clock.ms

    if not h[1] then
        return
    end

    if h[3] then
        blocked.take(r, REAP_PER_VISIT)
    elseif is_due then
        if not h[2] or not replication_has_work(r) then
            blocked.take(r, 1)
        end
        call('HSET', r.hash, 'probe_out', '1', 'probe_ms',
             digits(clock.ms + tonumber(h[4] or 0)))
    end

    if h[2] then
        r.share = is_due and 1 or 0
    elseif call('EXISTS', r.blocked) == 0
           and (h[3] or not is_due and not call('HGET', r.hash, 'probe_out'))
    then
        blocked.forget(r)
    end
end


function blocked.hold(r, group)
    local old = call('HGET', r.hash, 'held_first')

    call('HSET', r.hash, 'held_code', group.code:sub(1, CODE_LEN_MAX),
         'held_reason', group.reason:sub(1, REASON_LEN_MAX),
         'held_first', old or digits(clock.ms), 'held_last',
         digits(clock.ms))
    call('HINCRBY', r.hash, 'held_count', 1)
end


-- One more was refused.  Those that began before the pause say nothing new;
-- after the operator's word there is no pause yet.
function blocked.note(r, group, a)
    local row = call('HINCRBY', r.hash, 'blocked_row', 1)
    local h = call('HMGET', r.hash, 'probe_ms', 'probe_out', 'probe_pause',
                   'held_first', 'blocked_limit')

    call('HDEL', r.hash, 'freed')

    if not h[1] or h[2] or not h[3] then
        local pause = h[3] and math.min(tonumber(h[3]) * 2, a.pause_max_ms)
                      or a.pause_ms
        call('HSET', r.hash, 'probe_ms', digits(clock.ms + pause),
             'probe_pause', digits(pause))
        call('HDEL', r.hash, 'probe_out')
    end

    if h[4] or group.scope == 'all'
       or row >= tonumber(h[5] or blocked.ROW)
    then
        blocked.hold(r, group)
    end
end


function blocked.settle(group, a)
    return function(r, key, facets)
        blocked.note(r, group, a)
        trouble_add(r, key, group.code, group.reason, true)
        call('ZADD', r.failed, digits(clock.ms), key)
        call('ZADD', r.blocked, string.format('%.3f', schedule_now()), key)
        facets_set(r, key, facets)
        call('HINCRBY', r.hash, 'failed_attempts', 1)
        scan.give_up(r, key)

        return 'failed'
    end
end


function blocked.read(a)
    a.stages = args_stages(a)
    a.pause_ms = args_integer(a, 'pause_ms', 1, DELAY_MAX)
    a.pause_max_ms = args_integer(a, 'pause_max_ms', 1, DELAY_MAX)
    a.groups = args_groups(a, function()
        return { key = args_key(a), token = args_token(a),
                 scope = args_one_of(a, 'scope', { 'key', 'all' }),
                 code = args_string(a, 'code', 0, MS_MAX),
                 reason = args_string(a, 'reason', 0, MS_MAX),
                 doubt = args_doubt(a) }
    end)
end


function blocked.run(r, a)
    return leases_finish(r, a, function(group)
        return blocked.settle(group, a)
    end, 'blocked')
end


-- A hold ends, and what it kept is there to be claimed.
function blocked.lift(r)
    local was_held = call('HDEL', r.hash, 'held_code', 'held_reason',
                          'held_first', 'held_last', 'held_count') > 0

    call('HDEL', r.hash, 'blocked_row', 'probe_out')

    if was_held and replication_is_active(r) then
        call('PUBLISH', WAKE, r.name)
    end
end


-- A key was done.  One that was blocked shows that somebody has mended it, and
-- all come back; another one, that a hold was too much.
function blocked.well(r, key)
    local h = call('HMGET', r.hash, 'probe_ms', 'held_first',
                   'blocked_limit')

    if not h[1] then
        return
    end

    local t = trouble_read(r, key)

    if t and t.blocked then
        call('HSET', r.hash, 'freed', '1')
        call('HDEL', r.hash, 'blocked_limit')
        blocked.lift(r)

    elseif h[2] then
        local limit = tonumber(h[3] or blocked.ROW) * 2
        call('HSET', r.hash, 'blocked_limit',
             digits(math.min(limit, blocked.ROW_MAX)))
        blocked.forgive(r)

    else
        call('HDEL', r.hash, 'blocked_row')
    end
end


-- The operator says that it is mended: one is tried at once.
function blocked.forgive(r)
    if call('HEXISTS', r.hash, 'probe_ms') == 0 then
        return
    end

    blocked.lift(r)
    call('HSET', r.hash, 'probe_ms', digits(clock.ms))
    call('HDEL', r.hash, 'probe_pause')
end


-- null, or why nothing is claimed
function blocked.json(r)
    local h = call('HMGET', r.hash, 'held_code', 'held_reason', 'held_first',
                   'held_last', 'held_count', 'probe_ms')

    return not h[3] and 'null' or json_object({
        'code', json_string(h[1] or ''), 'reason', json_string(h[2] or ''),
        'first_ms', h[3], 'last_ms', h[4] or h[3], 'count', h[5] or '0',
        'probe_in_ms', digits(math.max(0, tonumber(h[6] or 0) - clock.ms)),
    })
end


-- The code most of the parked keys have, null without any.  Of many only
-- those are looked at that were parked first and last.
function blocked.reason_json(r)
    local counts, top = {}, nil
    local seen = {}

    for _, order in ipairs({ 'ZRANGE', 'ZREVRANGE' }) do
        for _, key in ipairs(call(order, r.failed, 0, 15)) do
            local t = not seen[key] and trouble_read(r, key)
            seen[key] = true
            if t then
                counts[t.code] = (counts[t.code] or 0) + 1
            end
        end
    end

    for code, n in pairs(counts) do
        if not top or n > counts[top] or n == counts[top] and code < top
        then
            top = code
        end
    end

    return top and json_string(top) or 'null'
end


----------------------------------------------------------------------------
-- Parked keys of all replications, page by page, to look at and to retry
----------------------------------------------------------------------------

local parked = {}

parked.NAMES = 100              -- replications a call looks at, about


-- A cursor names a page of chorus:replications, a replication in it, in the
-- order of names, and a page of its parked keys.
function parked.read(a)
    local cursor = args_string(a, 'cursor', 1, MS_MAX)

    a.page, a.keys, a.name = (cursor or ''):match('^(%d+):(%d+):(.*)$')

    if cursor == '0' then
        a.page, a.keys, a.name = '0', '0', ''
    elseif not a.page or #a.page > 20 or #a.keys > 20 then
        a.next = a.next - 1
        args_reject(a, 'cursor', 'must be 0 or of an earlier reply', cursor)
    end

    a.count = args_integer(a, 'count', 1, BATCH_MAX)
    a.code = args_string(a, 'code', 0, CODE_LEN_MAX)

    if args_more(a) then
        a.only = args_replication(a)
    end
end


-- besides, a single key of the replication
function parked.retry_read(a)
    parked.read(a)

    if args_more(a) then
        a.key = args_key(a)
    end
end


-- The names of the page, those before the cursor's left out, and the cursor
-- of the page behind.
function parked.names(set, a)
    if a.only then
        return { a.only }, '0'
    end

    local page, names = call('SSCAN', set, a.page, 'COUNT', parked.NAMES), {}

    for _, name in ipairs(page[2]) do
        if name >= a.name then
            names[#names + 1] = name
        end
    end

    table.sort(names)

    return names, page[1] ~= '0' and page[1] .. ':0:' or '0'
end


-- Calls visit(r, key, score) until about a.count keys were looked at;
-- returns the cursor of what is left, "0" at the end.
function parked.walk(schedule, set, a, change, visit)
    local names, behind = parked.names(set, a)
    local looked = 0

    for i, name in ipairs(names) do
        local r = replication_open(name, schedule)
        local at = name == a.name and a.keys or '0'

        repeat
            local page = change(r, function()
                local found = call('ZSCAN', r.failed, at, 'COUNT', a.count)
                for n = 1, #found[2], 2 do
                    visit(r, found[2][n], tonumber(found[2][n + 1]))
                end
                return found
            end)
            at, looked = page[1], looked + #page[2] / 2
        until at == '0' or looked >= a.count

        if at ~= '0' then
            return a.page .. ':' .. at .. ':' .. name
        elseif looked >= a.count and names[i + 1] then
            return a.page .. ':0:' .. names[i + 1]
        end
    end

    return behind
end


function parked.list(keys, a)
    local rows, reasons, fields = {}, {}, {}

    local cursor = parked.walk(nil, keys[1], a, function(_, look)
        return look()
    end, function(r, key, score)
        local t = trouble_read(r, key)
        local code = t and t.code or ''

        reasons[code] = (reasons[code] or 0) + 1
        if a.code == '' or a.code == code then
            rows[#rows + 1] = failed_row(
                r, key, call('ZSCORE', r.blocked, key) and 'blocked'
                or 'parked', score, { 'replication', json_string(r.name) })
        end
    end)

    for code, n in pairs(reasons) do
        fields[#fields + 1] = json_string(code) .. ':' .. n
    end
    table.sort(fields)

    return json_object({
        'cursor', json_string(cursor),
        'reasons', '{' .. table.concat(fields, ',') .. '}',
        'keys', json_array(rows),
    })
end


function parked.retry_key(keys, a)
    local r = replication_open(a.only, keys[1])

    return replication_change(r, function()
        blocked.forgive(r)
        return retry_one(r, a.key)
    end)
end


function parked.retry_page(keys, a)
    local moved = 0

    local cursor = parked.walk(keys[1], keys[2], a, function(r, look)
        return replication_change(r, function()
            local code = call('HGET', r.hash, 'held_code')
            if a.code == '' or a.code == code then
                blocked.forgive(r)
            end
            return look()
        end)
    end, function(r, key)
        local t = a.code ~= '' and trouble_read(r, key)
        if a.code == '' or t and t.code == a.code then
            moved = moved + retry_one(r, key)
        end
    end)

    return cursor, moved
end


function parked.retry(keys, a)
    local cursor, moved = '0', nil

    if a.key then
        moved = parked.retry_key(keys, a)
    else
        cursor, moved = parked.retry_page(keys, a)
    end

    return json_object({ 'cursor', json_string(cursor),
                         'moved', digits(moved) })
end


----------------------------------------------------------------------------
-- The trace: who held which key when.  Off unless chorus:trace:max says how
-- many entries are kept; a stream, for tests and for the curious.
----------------------------------------------------------------------------

trace.MAX = 10000000


-- A trace is never a reason to fail: hence pcall.
function trace.add(event, r, key, token, what)
    if not trace.max then
        local max = redis.pcall('GET', 'chorus:trace:max')
        trace.max = type(max) == 'string' and tonumber(max) or 0
        trace.max = math.min(math.max(0, trace.max), trace.MAX)
    end

    if trace.max > 0 then
        redis.pcall('XADD', 'chorus:trace', 'MAXLEN', '~', digits(trace.max),
                    '*', 'event', event, 'replication', r.name, 'key', key,
                    'token', token, 'what', what, 'us', digits(clock.us))
    end
end


----------------------------------------------------------------------------
-- Functions: check the invariants (tests, debugging; reads everything)
----------------------------------------------------------------------------

-- in a block of its own: see above, 200 locals
local check

do

local function check_members(key)
    local kind = call('TYPE', key).ok
    local set = {}
    local list = kind == 'hash' and call('HKEYS', key)
                 or kind == 'zset' and call('ZRANGE', key, 0, -1) or {}

    for _, member in ipairs(list) do
        set[member] = true
    end

    return set
end


local function check_union(...)
    local union = {}

    for _, set in ipairs({ ... }) do
        for key in pairs(set) do
            union[key] = (union[key] or 0) + 1
        end
    end

    return union
end


-- every key of a is in b
local function check_subset(found, a, b, what)
    for key in pairs(a) do
        if not b[key] then
            found[#found + 1] = what .. ': ' .. printable(key)
        end
    end
end


local function check_once(found, union, what)
    for key, times in pairs(union) do
        if times > 1 then
            found[#found + 1] = what .. ': ' .. printable(key)
        end
    end
end


local function check_places(found, r)
    local m = {}

    for name, key in pairs(r) do
        if name ~= 'name' and name ~= 'schedule' and name ~= 'hash' then
            m[name] = check_members(key)
        end
    end

    local placed = check_union(m.dirty, m.bulk, m.busy, m.retry, m.failed)
    local away = check_union(m.busy, m.retry, m.failed)
    local origin = check_union(m.since, m.bulksince)

    check_once(found, placed, 'in two places')
    check_once(found, origin, 'in since and in bulksince')
    check_subset(found, m.busy, m.leases, 'busy without lease')
    check_subset(found, m.leases, m.busy, 'lease without busy')
    check_subset(found, m.again, m.busy, 'again without busy')
    check_subset(found, away, origin, 'no origin')
    check_subset(found, origin, away, 'stray origin')
    check_subset(found, m.retry, m.trouble, 'retry without trouble')
    check_subset(found, m.failed, m.trouble, 'failed without trouble')
    check_subset(found, m.blocked, m.failed, 'blocked but not parked')
    check_subset(found, m.trouble, placed, 'stray trouble')
    check_subset(found, m.granted, placed, 'stray granted')
    check_subset(found, m.facets,
                 check_union(m.dirty, m.bulk, m.again, m.retry, m.failed),
                 'stray facets')

    for key in pairs(m.facets) do
        local bits = facets_get(r, key)
        if bits < 1 or bits >= EVERYTHING then
            found[#found + 1] = 'facets out of range: ' .. printable(key)
        end
    end
end


local function check_schedule(found, r)
    local at = tonumber(call('ZSCORE', r.schedule, r.name) or nil)
    local due = schedule_due(r)

    if at and not due then
        found[#found + 1] = 'scheduled with nothing to claim'
    elseif due and not at then
        found[#found + 1] = 'not scheduled'
    elseif due and at > math.max(due, schedule_now()) then
        found[#found + 1] = 'scheduled too late'
    end
end


function check(r, a)
    local found = {}

    check_places(found, r)
    check_schedule(found, r)

    for _, member in ipairs(call('ZRANGE', r.recheck, 0, -1)) do
        if not member:find('^[1-9]') then
            found[#found + 1] = 'recheck without stage: '
                                .. printable(member)
        end
    end

    if call('EXISTS', r.hash) ~= call('SISMEMBER', a.set, r.name) then
        found[#found + 1] = 'hash and chorus:replications disagree'
    end

    return found
end

end


----------------------------------------------------------------------------
-- Registration
----------------------------------------------------------------------------

local function reject(name, why)
    return redis.error_reply('ERR chorus_' .. name .. ': ' .. why)
end


-- What KEYS must hold, by number; keys[1] of one replication is checked.
local KEYS_OF = {
    none = { 0, 0, '' },
    schedule = { 1, 1, 'chorus:schedule' },
    schedule_or_none = { 0, 1, 'chorus:schedule or none' },
    replications = { 1, 1, 'chorus:replications' },
    owed = { 1, 1, 'chorus:owed' },
    heal = { 3, 3, 'chorus:heal chorus:schedule chorus:replications' },
    generation = { 2, 3, 'chorus:generation chorus:owed chorus:alive' },
    both = { 2, 2, 'chorus:schedule chorus:replications' },
    one = { 1, 1, 'chorus:{R}' },
    change = { 3, 3, 'chorus:{R} chorus:schedule chorus:replications' },
    look = { 3, 3, 'chorus:{R} chorus:schedule chorus:replications' },
}


-- beside them all functions by name, for those that call one (chorus_audited)
KEYS_OF.functions = {}


-- the replication KEYS[1] names, or nil and why not
local function keys_replication(keys)
    local name = keys[1]:match('^chorus:{(.*)}$')

    if not name or not replication_parts(name) then
        return nil, 'KEYS[1] must be chorus:{user:bucket:follower'
                    .. '[:target-bucket]} with percent-encoded parts, got "'
                    .. printable(keys[1]) .. '"'
    end

    return replication_open(name, keys[2])
end


local function serve(f, keys, argv)
    local need = KEYS_OF[f.keys]
    local a = { argv = argv, next = 1, set = keys[3] }

    if #keys < need[1] or #keys > need[2] then
        return reject(f.name, string.format('needs %d KEYS (%s), got %d',
                                            need[2], need[3], #keys))
    end

    local r, why

    if f.keys == 'one' or f.keys == 'change' or f.keys == 'look' then
        r, why = keys_replication(keys)
        if not r then
            return reject(f.name, why)
        end
    end

    if f.read then
        f.read(a)
    end
    args_end(a)

    if a.error then
        return reject(f.name, a.error)
    end

    clock_read()

    if f.keys == 'change' then
        return replication_change(r, function() return f.run(r, a) end)
    end

    return f.run(r or keys, a)
end


function KEYS_OF.serve(name, keys, argv)
    return serve(KEYS_OF.functions[name], keys, argv)
end


-- allow-oom: with maxmemory reached marks are refused (and wait in the
-- journals of the proxies), but the queue must still be able to drain.
-- no-cluster: chorus:schedule is not in the hash slot of the replications.
local READS = { 'no-writes', 'no-cluster' }
local WRITES = { 'no-cluster' }
local DRAINS = { 'allow-oom', 'no-cluster' }

local FUNCTIONS = {
    { name = 'version', keys = 'none', flags = READS,
      run = function() return VERSION end },
    { name = 'generation', keys = 'generation', flags = DRAINS,
      read = generation.read, run = generation.run },
    { name = 'mark', keys = 'change', flags = WRITES, read = mark_read,
      run = mark },
    { name = 'owe', keys = 'change', flags = DRAINS, read = debt_read,
      run = owe },
    { name = 'paid', keys = 'change', flags = DRAINS, read = paid_read,
      run = paid },
    { name = 'owe_all', keys = 'owed', flags = DRAINS, read = debt_read,
      run = owe_all },
    { name = 'paid_all', keys = 'owed', flags = DRAINS, read = paid_read,
      run = paid_all },
    { name = 'limit', keys = 'change', flags = DRAINS, read = limit_read,
      run = limit },
    { name = 'claim', keys = 'schedule', flags = DRAINS, read = claim_read,
      run = claim },
    { name = 'renew', keys = 'schedule_or_none', flags = DRAINS,
      read = renew_read, run = renew },
    { name = 'done', keys = 'change', flags = DRAINS, read = done_read,
      run = done },
    { name = 'fail', keys = 'change', flags = DRAINS, read = fail_read,
      run = fail },
    { name = 'release', keys = 'change', flags = DRAINS,
      read = release_read, run = release },
    { name = 'reap', keys = 'change', flags = DRAINS, read = reap_read,
      run = reap },
    { name = 'doubt', keys = 'change', flags = DRAINS, read = doubt_read,
      run = doubt },
    { name = 'heal', keys = 'heal', flags = DRAINS, read = heal_read,
      run = heal },
    { name = 'retry', keys = 'change', flags = DRAINS, read = retry_read,
      run = retry },
    { name = 'pause', keys = 'change', flags = DRAINS, run = pause },
    { name = 'resume', keys = 'change', flags = DRAINS, run = resume },
    { name = 'stats', keys = 'one', flags = READS, run = stats },
    { name = 'status', keys = 'replications', flags = READS,
      read = status_read, run = status },
    { name = 'failed', keys = 'one', flags = READS, read = failed_read,
      run = failed },
    { name = 'block', keys = 'change', flags = DRAINS, read = blocked.read,
      run = blocked.run },
    { name = 'parked', keys = 'replications', flags = READS,
      read = parked.read, run = parked.list },
    { name = 'retry_parked', keys = 'both', flags = DRAINS,
      read = parked.retry_read, run = parked.retry },
    { name = 'check', keys = 'look', flags = READS, run = check },
}


-- also for the files that are joined to this one; no ipairs while the library
-- is being loaded
local function register(functions)
    for i = 1, #functions do
        local f = functions[i]

        KEYS_OF.functions[f.name] = f

        redis.register_function({
            function_name = 'chorus_' .. f.name,
            callback = function(keys, argv) return serve(f, keys, argv) end,
            flags = f.flags,
        })
    end
end


register(FUNCTIONS)
