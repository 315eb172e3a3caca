----------------------------------------------------------------------------
-- Scans: how they go.  What a scan has put into the queue is remembered by key
-- until it is copied or given up.  So an object counts once however often it
-- is tried, whatever else asks for it meanwhile, and whoever is restarted.
--
--     chorus:{R}:awaited   keys the scan has marked and that are in work   set
--     chorus:{R}:givenup   those of them that were parked instead          set
--     chorus:{R}:pace      "what:slot" -> how many in these seconds        hash
--
-- Joined to chorus.lua like chorus_scan.lua.
----------------------------------------------------------------------------

do local function scan_progress_library()

scan.SLOT_MS = 2000
scan.SLOTS = 10                 -- the rate is that of the last so many
scan.SWEEP = 100                -- keys a visit looks at
-- what becomes of an object, as it is counted
scan.SETTLED = { synced = 'copied', deleted = 'deleted', equal = 'unchanged' }


----------------------------------------------------------------------------
-- Rates: of all workers together
----------------------------------------------------------------------------

function scan.slot()
    return math.floor(clock.ms / scan.SLOT_MS)
end


-- A slot that begins drops those that are too old to count.
function scan.pace(s, what, n)
    local field = what .. ':' .. digits(scan.slot())

    if n == 0 or call('HINCRBY', s.pace, field, digits(n)) ~= n then
        return
    end

    for _, old in ipairs(call('HKEYS', s.pace)) do
        if tonumber(old:match(':(%d+)$')) <= scan.slot() - scan.SLOTS then
            call('HDEL', s.pace, old)
        end
    end

    call('PEXPIRE', s.pace, scan.SLOT_MS * (scan.SLOTS + 1))
end


-- { keys, objects, bytes } a second
function scan.rates(s, since_ms)
    local now = scan.slot()
    local sums = { keys = 0, objects = 0, bytes = 0 }
    local flat = call('HGETALL', s.pace)
    local begin = math.max(since_ms, (now - scan.SLOTS + 1) * scan.SLOT_MS)
    local seconds = math.max(1, (clock.ms - begin) / 1000)

    for i = 1, #flat, 2 do
        local what, slot = flat[i]:match('^(%a+):(%d+)$')
        if tonumber(slot) > now - scan.SLOTS and tonumber(slot) <= now then
            sums[what] = sums[what] + tonumber(flat[i + 1])
        end
    end

    for what, n in pairs(sums) do
        sums[what] = n / seconds
    end

    return sums
end


----------------------------------------------------------------------------
-- What the scan has put into the queue
----------------------------------------------------------------------------

function scan.forget(s)
    call('DEL', s.awaited, s.givenup, s.pace)
    call('HSET', s.hash, 'copied', '0', 'copied_bytes', '0', 'deleted', '0',
         'unchanged', '0', 'done_ms', '0')
end


function scan.await(s, key)
    call('SADD', s.awaited, key)
    call('SREM', s.givenup, key)
end


-- Nothing is listed any more, and nothing waits.
function scan.rest(s)
    if call('EXISTS', s.awaited) == 1 then
        return
    end

    local h = call('HMGET', s.hash, 'state', 'done_ms')

    if h[1] == 'ended' and h[2] == '0' then
        call('HSET', s.hash, 'done_ms', digits(clock.ms))
    end
end


-- Replications without a scan pay one look a call.  A key that was marked
-- again while it was busy is not done yet.
function scan.knows(r, key)
    r.scan = r.scan or scan.open(r)

    if r.is_scanned == nil then
        r.is_scanned = call('EXISTS', r.scan.awaited, r.scan.givenup) > 0
    end

    return r.is_scanned and not call('ZSCORE', r.again, key)
end


function scan.settle(r, key, outcome, bytes)
    if not scan.knows(r, key) then
        return
    end

    local s = r.scan

    if call('SREM', s.awaited, key) + call('SREM', s.givenup, key) == 0 then
        return
    end

    -- the bucket is no object
    if key ~= '' then
        call('HINCRBY', s.hash, scan.SETTLED[outcome], 1)
        if outcome == 'synced' then
            call('HINCRBY', s.hash, 'copied_bytes', digits(bytes))
            scan.pace(s, 'bytes', bytes)
        end
        scan.pace(s, 'objects', 1)
    end

    scan.rest(s)
end


function scan.give_up(r, key)
    if scan.knows(r, key)
       and call('SMOVE', r.scan.awaited, r.scan.givenup, key) == 1
    then
        scan.rest(r.scan)
    end
end


-- By a visit, while keys are awaited: those that are not in the queue any
-- more, however that came, are not waited for.
function scan.sweep(r, s)
    for _, key in ipairs(call('SRANDMEMBER', s.awaited, scan.SWEEP)) do
        local place = place_of(r, key)
        if place == 'failed' then
            call('SMOVE', s.awaited, s.givenup, key)
        elseif not place then
            call('SREM', s.awaited, key)
        end
    end

    scan.rest(s)
end


----------------------------------------------------------------------------
-- What is left
----------------------------------------------------------------------------

-- How far `at` is on the way from one key to another, 0 to 1, by the bytes
-- behind what all three begin with.
function scan.way(from, to, at)
    local i = 1

    while i <= #to and from:byte(i) == to:byte(i) do
        i = i + 1
    end

    local function place(key)
        local n = 0
        for k = i, i + 5 do
            n = n * 256 + (key:byte(k) or 0)
        end
        return n
    end

    local a, b = place(from), place(to)

    return b > a and math.max(0, math.min(1, (place(at) - a) / (b - a)))
           or 1
end


-- Where the first key is nobody knows: it goes by the last one of the first
-- page, and by what came behind that.  A shard that has just begun is taken
-- for as long as others are; nil when it is longer already.
function scan.left_in_shard(shard, others)
    local way = shard.pages > 1
                and scan.way(shard.first, shard.to, shard.cursor) or 0

    if way < 0.05 then
        return others > shard.main and others - shard.main or nil
    end

    return shard.main * (1 - 1 / shard.pages) * (1 - way) / way
end


-- By the shards that have ended, when it is known where the last key is, or
-- nil.
function scan.left_in_shards(list)
    local sum, n, left = 0, 0, 0

    for _, shard in ipairs(list) do
        if shard.state == 'done' then
            sum, n = sum + shard.main, n + 1
        elseif shard.is_cut == 0 then
            return nil
        end
    end

    if n == 0 then
        return nil
    end

    for _, shard in ipairs(list) do
        if shard.state ~= 'done' then
            local more = scan.left_in_shard(shard, sum / n)
            if not more then
                return nil
            end
            left = left + more
        end
    end

    return math.ceil(left)
end


-- How many keys are not compared yet, and how that is known; nil: it is not.
function scan.left(s, h, totals)
    local known = tonumber(h.known_keys or nil)

    if h.state ~= 'running' then
        return nil
    elseif known and known >= totals.main then
        return known - totals.main, 'an earlier scan'
    end

    local left = scan.left_in_shards(scan.shards_of(s))

    return left, left and 'shards that have ended'
end


-- ms, or nil without a basis
function scan.left_ms(phase, left, waiting, rates)
    local ms = waiting == 0 and 0
               or rates.objects > 0 and waiting / rates.objects * 1000

    if phase == 'copying' then
        return ms or nil
    elseif phase == 'listing' and left and (left == 0 or rates.keys > 0) then
        local list_ms = left == 0 and 0 or left / rates.keys * 1000
        return math.max(list_ms, ms or 0)
    end
end


----------------------------------------------------------------------------
-- Reports
----------------------------------------------------------------------------

-- When all was found equal, and by a scan that began when.
function scan.verify(s, totals)
    if totals.different + totals.missing + totals.surplus > 0 then
        call('HDEL', s.hash, 'verified_ms', 'verified_begun_ms')

    elseif totals.moving + totals.undecided + totals.unchecked == 0 then
        call('HSET', s.hash, 'verified_ms', digits(clock.ms),
             'verified_begun_ms', call('HGET', s.hash, 'started_ms'),
             'verified_depth', scan.compared(s))
    end
end


-- A complete one is what the next one goes by.
function scan.learn(s, totals)
    call('HSET', s.hash, 'known_keys', digits(totals.main), 'known_bytes',
         digits(totals.bytes))
end


-- Nothing has been written since the scan began that found all equal.
function scan.holds(r, h)
    local begun = tonumber(h.verified_begun_ms or nil)
    local changed = tonumber(call('HGET', r.hash, 'changed_ms') or 0)

    return begun and changed < begun and not debt_of(r.hash)
end


function scan.phase(h, waiting)
    return h.state == 'running' and 'listing'
           or h.state == 'ended' and (waiting > 0 and 'copying' or 'done')
           or h.state
end


function scan.number_or_null(n)
    return n and digits(math.ceil(n)) or 'null'
end


function scan.progress(r, s, h, totals)
    local waiting = call('SCARD', s.awaited)
    local phase = scan.phase(h, waiting)
    local rates = scan.rates(s, tonumber(h.started_ms))
    local left, basis = scan.left(s, h, totals)

    return {
        'phase', json_string(phase),
        'done_ms', h.done_ms or '0',
        'copied', h.copied or '0', 'copied_bytes', h.copied_bytes or '0',
        'deleted', h.deleted or '0', 'unchanged', h.unchanged or '0',
        'waiting', digits(waiting),
        'failed', digits(call('SCARD', s.givenup)),
        -- rounded up: what goes on is never 0
        'keys_per_second', digits(math.ceil(rates.keys)),
        'objects_per_second', digits(math.ceil(rates.objects)),
        'bytes_per_second', digits(math.ceil(rates.bytes)),
        'remaining', scan.number_or_null(left),
        'remaining_by', basis and json_string(basis) or 'null',
        'remaining_ms', scan.number_or_null(
            scan.left_ms(phase, left, waiting, rates)),
        'verified', scan.holds(r, h) and 'true' or 'false',
        'verified_ms', h.verified_ms or '0',
        'verified_level', json_string(h.verified_depth or ''),
        'changed_ms', call('HGET', r.hash, 'changed_ms') or '0',
    }
end

end scan_progress_library() end
