----------------------------------------------------------------------------
-- Replications that the dynamic policy pauses are suspended: `suspended` in
-- their hash, beside the state that chorus_pause sets, and apart from what
-- holds a replication of which keys are blocked.
----------------------------------------------------------------------------

do local function suspend_library()

local function suspend_read(a)
    a.suspended = args_integer(a, 'suspended', 0, 1)
end


local function suspend(r, a)
    if call('EXISTS', r.hash) == 0 then
        return 0
    elseif a.suspended == 1 then
        local changed = call('HSET', r.hash, 'suspended', '1')

        if changed == 1 then
            -- for those who work on its keys
            call('PUBLISH', WAKE, 'paused')
        end

        return changed
    end

    local changed = call('HDEL', r.hash, 'suspended')

    if changed == 1 and replication_is_active(r) then
        replication_wake(r)
    end

    return changed
end


local function suspended_read(a)
    a.cursor = args_integer(a, 'cursor', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)
end


-- { cursor, R, suspended, R, suspended, ... }
local function suspended(keys, a)
    local page = call('SSCAN', keys[1], digits(a.cursor), 'COUNT', a.count)
    local found = { page[1] }

    for _, name in ipairs(page[2]) do
        found[#found + 1] = name
        found[#found + 1] =
            call('HGET', replication_open(name).hash, 'suspended') or '0'
    end

    return found
end


local function paused_read(a)
    a.names = args_groups(a, args_replication)
end


-- Whose keys are to be left alone, for whatever reason.
local function paused(_, a)
    local reply = {}

    for i, name in ipairs(a.names) do
        local r = replication_open(name)

        reply[i] = call('EXISTS', r.hash) == 1 and not replication_is_active(r)
                   and 1 or 0
    end

    return reply
end


register({
    { name = 'paused', keys = 'none', flags = READS, read = paused_read,
      run = paused },
    { name = 'suspend', keys = 'change', flags = DRAINS,
      read = suspend_read, run = suspend },
    { name = 'suspended', keys = 'replications', flags = READS,
      read = suspended_read, run = suspended },
})

end suspend_library() end
