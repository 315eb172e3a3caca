----------------------------------------------------------------------------
-- One key in the queues of the replications that are asked for, for a person
-- who wants to know why it is where it is; and what a person gives up.
----------------------------------------------------------------------------

do local function explain_library()

local EXPLAINED_MAX = 64        -- replications a call
local DROPPED_NAMED = 20        -- keys that a reply names


----------------------------------------------------------------------------
-- Explain
----------------------------------------------------------------------------

local function explain_args(a)
    a.key = args_key(a)
    a.names = args_groups(a, args_replication)

    if #a.names > EXPLAINED_MAX then
        a.error = a.error or 'at most ' .. EXPLAINED_MAX
                             .. ' replications at once'
    end
end


-- ms of the first change, and ms until something happens of itself
local function place_times(r, key, place)
    if place == 'dirty' or place == 'bulk' then
        return call('ZSCORE', r[place], key), nil
    end

    local _, since = origin_get(r, key)
    local zset = place == 'busy' and r.leases or place == 'retry' and r.retry
    local at = zset and call('ZSCORE', zset, key)

    return since, at and math.max(0, at - clock.ms)
end


local function or_null(text)
    return text or 'null'
end


local function worker_of(r, key)
    local record = call('HGET', r.busy, key) or ''
    local worker = record:match('^%d+ [1-7] (.*)$')

    return worker and json_string(worker)
end


-- The names of places as people know them from `chorusctl failed`.
local function place_shown(r, key, place)
    if place == 'failed' then
        return call('ZSCORE', r.blocked, key) and 'blocked' or 'parked'
    end

    return place or 'none'
end


-- What the queue knows of the key.
local function key_fields(r, key)
    local place = place_of(r, key)
    local since, left = nil, nil
    local t = trouble_read(r, key)
    local again = call('ZSCORE', r.again, key)

    if place then
        since, left = place_times(r, key, place)
    end

    return {
        'place', json_string(place_shown(r, key, place)),
        'since_ms', or_null(since and digits(since)),
        'age_ms', or_null(since and digits(age_of(tonumber(since)))),
        'next_in_ms', or_null(left and digits(left)),
        'worker', or_null(worker_of(r, key)),
        'changed_again', again and 'true' or 'false',
        'attempts', digits(t and t.attempts or 0),
        'code', or_null(t and json_string(t.code)),
        'reason', or_null(t and json_string(t.reason)),
        'first_failed_ms', or_null(t and digits(t.first_ms)),
        'last_failed_ms', or_null(t and digits(t.last_ms)),
    }
end


-- Changes of it may be gone that no queue knows of: its own debt, or that of
-- all replications, which it has no scan for yet.
local function owes_scan(r, own)
    local owed_all = debt_of(OWED)

    return own or owed_all
           and call('HGET', scan.open(r).hash, 'covered') ~= owed_all.id
end


local function explain_one(name, key)
    local r = replication_open(name)
    local h = call('HMGET', r.hash, 'state', 'suspended', 'owed_reason',
                   'held_code', 'held_reason', 'guarded_ms',
                   'guarded_reason', 'forget_ms')
    local fields = key_fields(r, key)

    for _, text in ipairs({
        'replication', json_string(name),
        'known', h[1] and 'true' or 'false',
        'paused', (h[1] == 'paused' or h[2] or h[6] or h[8]) and 'true'
                  or 'false',
        'guarded', or_null(h[6] and json_string(h[7] or '')),
        'owes_scan', owes_scan(r, h[3]) and 'true' or 'false',
        'held', or_null(h[4] and json_string(h[4])),
        'held_reason', or_null(h[4] and json_string(h[5] or '')),
        'dirty', digits(call('ZCARD', r.dirty)),
        'bulk', digits(call('ZCARD', r.bulk)),
        'busy', digits(call('HLEN', r.busy)),
    }) do
        fields[#fields + 1] = text
    end

    return json_object(fields)
end


local function explain(_, a)
    local rows = {}

    for i, name in ipairs(a.names) do
        rows[i] = explain_one(name, a.key)
    end

    return json_object({ 'now_ms', digits(clock.ms),
                         'replications', json_array(rows) })
end


----------------------------------------------------------------------------
-- Drop: parked keys that shall not be tried again.  Only the next change of
-- the key, or a scan, brings it back.
----------------------------------------------------------------------------

local function drop_one(r, key)
    if not call('ZSCORE', r.failed, key) and not call('ZSCORE', r.retry, key)
    then
        return false
    end

    call('HDEL', r.facets, key)
    call('ZREM', r.failed, key)
    call('ZREM', r.retry, key)
    call('ZREM', r.blocked, key)
    origin_drop(r, key)
    call('HDEL', r.trouble, key)

    return true
end


local function drop_key(keys, a, note)
    local r = replication_open(a.only, keys[1])

    replication_change(r, function()
        if drop_one(r, a.key) then
            note(r, a.key)
        end
    end)

    return '0'
end


local function drop_page(keys, a, note)
    return parked.walk(keys[1], keys[2], a, function(r, look)
        return replication_change(r, look)
    end, function(r, key)
        local t = a.code ~= '' and trouble_read(r, key)
        if (a.code == '' or t and t.code == a.code) and drop_one(r, key) then
            note(r, key)
        end
    end)
end


local function drop(keys, a)
    local dropped, named = 0, {}

    local function note(r, key)
        dropped = dropped + 1
        if dropped <= DROPPED_NAMED then
            local row = json_key_fields(key)
            row[#row + 1] = 'replication'
            row[#row + 1] = json_string(r.name)
            named[#named + 1] = json_object(row)
        end
    end

    local cursor = (a.key and drop_key or drop_page)(keys, a, note)

    return json_object({ 'cursor', json_string(cursor),
                         'dropped', digits(dropped),
                         'keys', json_array(named) })
end


register({
    { name = 'explain', keys = 'replications', flags = READS,
      read = explain_args, run = explain },
    { name = 'drop_parked', keys = 'both', flags = DRAINS,
      read = parked.retry_read, run = drop },
})

end explain_library() end
