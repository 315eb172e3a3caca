----------------------------------------------------------------------------
-- Rates: what all workers together may ask of a storage: each
-- unit, a request or a byte, has a moment of its own on one time line, and
-- moments are so far apart that one second and what a worker may be late by
-- hold no more of them than the limit.  A worker takes the next ones ahead.
----------------------------------------------------------------------------

-- This file is joined to chorus.lua when the programs are built, and uses what
-- is local there; being a function of its own, it has room for more locals.

do local function rates_library()

local STORAGE_LEN_MAX = 256
local RATE_LATE_US = 80000      -- how late a unit may be used
local RATE_AHEAD_US = 200000    -- how far ahead units are given out
local RATE_STEP_MAX_US = 1000000 + RATE_LATE_US     -- that of one a second
local RATE_MAX = 1099511627776  -- a second: 2^40
local RATE_WORKER_MS = 5000     -- a worker that was silent for so long is gone

local RATE_KINDS = { 'requests', 'bytes' }


local function rate_field(kind, storage)
    return kind .. ':' .. storage
end


-- a limit set at run time comes before that of chorus.json; 0: none
local function rate_limit(limits, field, configured)
    return tonumber(call('HGET', limits, field) or configured)
end


-- When the next unit may be used.  Of a time line that is lost, or that the
-- clock has left behind, a worker may still hold units.
local function rate_next(rates, field)
    local next_us = tonumber(call('HGET', rates, field) or nil)

    if not next_us
       or next_us > clock.us + RATE_AHEAD_US + RATE_STEP_MAX_US
    then
        return clock.us + RATE_AHEAD_US
    end

    return math.max(clock.us, next_us)
end


-- { limit, units, us from now to the first }; they are 1 / limit apart, and
-- a little more
local function rate_take(keys, field, configured, wanted)
    local limit = rate_limit(keys[1], field, configured)

    if limit == 0 or wanted == 0 then
        return { limit, 0, 0 }
    end

    local step = RATE_STEP_MAX_US / limit
    local first = rate_next(keys[2], field)
    local room = clock.us + RATE_AHEAD_US - first

    if room < 0 then
        return { limit, 0, 0 }
    end

    local n = math.min(wanted, math.floor(room / step) + 1)

    call('HSET', keys[2], field, string.format('%.3f', first + n * step))

    return { limit, n, math.ceil(first - clock.us) }
end


local function rate_workers(zset, worker)
    call('ZADD', zset, digits(clock.ms), worker)
    call('ZREMRANGEBYSCORE', zset, '-inf',
         digits(clock.ms - RATE_WORKER_MS))
    return call('ZCARD', zset)
end


local function rates_read(a)
    a.worker = args_string(a, 'worker_id', 1, WORKER_LEN_MAX)
    a.asks = args_groups(a, function()
        return { storage = args_string(a, 'storage', 1, STORAGE_LEN_MAX),
                 kind = args_one_of(a, 'kind', RATE_KINDS),
                 configured = args_integer(a, 'configured', 0, RATE_MAX),
                 wanted = args_integer(a, 'wanted', 0, RATE_MAX) }
    end)
end


local function rates(keys, a)
    local replies = { rate_workers(keys[3], a.worker) }

    for _, ask in ipairs(a.asks) do
        replies[#replies + 1] = rate_take(keys, rate_field(ask.kind,
                                          ask.storage), ask.configured,
                                          ask.wanted)
    end

    return replies
end


local function rate_number(n)
    n = tonumber(n or nil)
    return n and n > 0 and digits(n) or 'null'
end


-- "override" is null without one, and 0 when it takes the limit away
local function rate_json(limits, kind, storage, configured)
    local override = call('HGET', limits, rate_field(kind, storage))

    return json_object({
        'limit', rate_number(override or configured),
        'configured', rate_number(configured),
        'override', override or 'null',
    })
end


local function limits_row(limits, s)
    return json_object({
        'storage', json_string(s.storage),
        'requests_per_second',
        rate_json(limits, 'requests', s.storage, s.requests),
        'bytes_per_second', rate_json(limits, 'bytes', s.storage, s.bytes),
    })
end


local function limits_read_storage(a)
    return { storage = args_string(a, 'storage', 1, STORAGE_LEN_MAX),
             requests = args_integer(a, 'requests', 0, RATE_MAX),
             bytes = args_integer(a, 'bytes', 0, RATE_MAX) }
end


local function limits_read(a)
    a.storages = args_groups(a, limits_read_storage)
end


local function limits(keys, a)
    local rows = {}

    for i, s in ipairs(a.storages) do
        rows[i] = limits_row(keys[1], s)
    end

    return json_object({ 'limits', json_array(rows) })
end


local function limits_set_read(a)
    a.storage = limits_read_storage(a)
    a.changes = args_groups(a, function()
        return { kind = args_one_of(a, 'kind', RATE_KINDS),
                 limit = args_integer(a, 'limit', -1, RATE_MAX) }
    end)
end


-- -1: as chorus.json has it
local function limits_set(keys, a)
    for _, change in ipairs(a.changes) do
        local field = rate_field(change.kind, a.storage.storage)

        if change.limit < 0 then
            call('HDEL', keys[1], field)
        else
            call('HSET', keys[1], field, digits(change.limit))
        end
    end

    return limits_row(keys[1], a.storage)
end


KEYS_OF.limits = { 1, 1, 'chorus:limits' }
KEYS_OF.rates = { 3, 3, 'chorus:limits chorus:rates chorus:rates:workers' }

register({
    { name = 'rates', keys = 'rates', flags = DRAINS, read = rates_read,
      run = rates },
    { name = 'limits', keys = 'limits', flags = READS, read = limits_read,
      run = limits },
    { name = 'limits_set', keys = 'limits', flags = DRAINS,
      read = limits_set_read, run = limits_set },
})

end rates_library() end
