----------------------------------------------------------------------------
-- What was done in the last hour, for charts: a sample every ten seconds, of
-- all replications together and of each.  Nothing is decided by it.
--
--     chorus:history        the round that goes on         hash
--     chorus:history:all    samples, the newest first      list
--     chorus:{R}:history    the same, of one               list
--
-- Workers call once a second; a call looks at some replications, and the
-- round's last one adds the sample of all.  A sample is counters, not rates:
-- "at_ms,keys,bytes,lag_ms,waiting".  Of those in a row that say the same only
-- the first and the last are kept.
----------------------------------------------------------------------------

do local function history_library()

local EVERY_MS = 10000
local HOUR_MS = 3600000
local KEPT = 361
local STEP = 100                -- replications a call looks at
local ALONE_MAX = 2000          -- with more of them only all are kept


local function words_of(text)
    return text and text:match('^%d+,(.*)$')
end


local function push(list, row)
    local words = table.concat({ digits(row.keys), digits(row.bytes),
                                 digits(row.lag_ms), digits(row.waiting) },
                               ',')
    local last = call('LRANGE', list, 0, 1)
    local text = digits(clock.ms) .. ',' .. words

    if words_of(last[1]) == words and words_of(last[2]) == words then
        call('LSET', list, 0, text)
    else
        call('LPUSH', list, text)
        call('LTRIM', list, 0, KEPT - 1)
    end

    call('PEXPIRE', list, digits(2 * HOUR_MS))
end


local function look(r)
    local stats = stats_collect(r)
    local n = call('HMGET', r.hash, 'synced', 'deleted', 'equal', 'bytes')

    for i = 1, 4 do
        n[i] = tonumber(n[i] or 0) or 0
    end

    return { keys = n[1] + n[2] + n[3], bytes = n[4], lag_ms = stats.lag_ms,
             waiting = stats.dirty + stats.bulk + stats.busy + stats.again
                       + stats.retry }
end


local function round_read(key)
    local h = call('HMGET', key, 'cursor', 'begun_ms', 'keys', 'bytes',
                   'lag_ms', 'waiting')

    return { cursor = h[1] or '0', begun_ms = tonumber(h[2] or 0) or 0,
             keys = tonumber(h[3] or 0), bytes = tonumber(h[4] or 0),
             lag_ms = tonumber(h[5] or 0), waiting = tonumber(h[6] or 0) }
end


local function round_write(key, round)
    call('HSET', key, 'cursor', round.cursor,
         'begun_ms', digits(round.begun_ms), 'keys', digits(round.keys),
         'bytes', digits(round.bytes), 'lag_ms', digits(round.lag_ms),
         'waiting', digits(round.waiting))
    call('PEXPIRE', key, digits(HOUR_MS))
end


-- 1: looked at some, 0: it is not time yet
local function take(keys)
    local round = round_read(keys[1])

    if round.cursor == '0' then
        if age_of(round.begun_ms) < EVERY_MS and round.begun_ms <= clock.ms
        then
            return 0
        end
        round = { cursor = '0', begun_ms = clock.ms, keys = 0, bytes = 0,
                  lag_ms = 0, waiting = 0 }
    end

    local page = call('SSCAN', keys[3], round.cursor, 'COUNT', STEP)
    local is_apart = call('SCARD', keys[3]) <= ALONE_MAX

    for _, name in ipairs(page[2]) do
        local r = replication_open(name)
        local row = look(r)

        round.keys = round.keys + row.keys
        round.bytes = round.bytes + row.bytes
        round.waiting = round.waiting + row.waiting
        round.lag_ms = math.max(round.lag_ms, row.lag_ms)

        if is_apart then
            push(r.history, row)
        end
    end

    round.cursor = page[1]
    round_write(keys[1], round)

    if round.cursor == '0' then
        push(keys[2], round)
    end

    return 1
end


-- the oldest first
local function history_json(list)
    local samples = {}

    for _, text in ipairs(call('LRANGE', list, 0, -1)) do
        table.insert(samples, 1, '[' .. text .. ']')

        -- one that is older, so that a line begins at the edge
        if age_of(tonumber(text:match('^%d+'))) > HOUR_MS then
            break
        end
    end

    return json_object({ 'every_ms', digits(EVERY_MS),
                         'samples', json_array(samples) })
end


local function history_all(keys)
    return history_json(keys[1])
end


local function history_of(r)
    return history_json(r.history)
end


KEYS_OF.history = { 3, 3, 'chorus:history chorus:history:all '
                          .. 'chorus:replications' }
KEYS_OF.history_all = { 1, 1, 'chorus:history:all' }

register({
    { name = 'history_take', keys = 'history', flags = DRAINS, run = take },
    { name = 'history_all', keys = 'history_all', flags = READS,
      run = history_all },
    { name = 'history_of', keys = 'one', flags = READS, run = history_of },
})

end history_library() end
