----------------------------------------------------------------------------
-- Scans: claim, page, split, and what is told of them; chorus_scan.lua has what
-- they are.  Joined to chorus.lua like that one.
----------------------------------------------------------------------------

do local function scan_work_library()

function scan.claim_read(a)
    a.worker = args_string(a, 'worker_id', 1, WORKER_LEN_MAX)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
    a.policy = args_integer(a, 'policy', 0, MS_MAX)
    a.excluded = {}

    while args_more(a) do
        a.excluded[args_string(a, 'excluded follower', 1, MS_MAX)] = true
    end
end


function scan.reply(r, s, what, n, shard)
    local h = call('HMGET', s.hash, 'id', 'kind', 'depth', 'deletes')

    return { r.name, what, tonumber(h[1]), n, digits(shard.token), h[2],
             h[3], tonumber(h[4]), shard.to, shard.is_cut, shard.cursor,
             shard.failures }
end


function scan.lease(r, s, n, shard, c)
    shard.token = replication_tokens(r, 1)
    shard.expiry = clock.ms + c.lease_ms
    scan.shard_put(s, n, shard)

    return scan.reply(r, s, 'shard', n, shard)
end


function scan.is_done(s)
    for _, shard in ipairs(scan.shards_of(s)) do
        if shard.state ~= 'done' then
            return false
        end
    end

    return true
end


-- A shard that somebody else works on, and that has shown to be long: it is
-- cut in two by whoever has nothing else to do.
function scan.may_split(list, shard)
    return shard.state == 'open' and shard.failures == 0
           and shard.expiry > clock.ms and #list < scan.SHARDS_MAX
           and shard.pages >= shard.split_pages + scan.SPLIT_PAGES
end


-- What a running scan has for one more worker, or nil and when it may.
function scan.work(r, s, c)
    local list = scan.shards_of(s)
    local later

    if #list == 0 then
        scan.close(s, scan.totals(s), 'failed', 'its shards are gone')
        return nil, clock.ms
    elseif scan.is_done(s) then
        scan.finish(r, s)
        return nil, clock.ms
    elseif scan.report_is_full(s) then
        return nil, clock.ms + 500
    end

    for n, shard in ipairs(list) do
        local at = math.max(shard.expiry, shard.not_before)

        if shard.state == 'open' and at <= clock.ms then
            return scan.lease(r, s, n, shard, c)
        elseif shard.state == 'open' then
            later = math.min(later or at, at)
        end
    end

    for n, shard in ipairs(list) do
        if scan.may_split(list, shard) then
            shard.split_pages = shard.pages
            scan.shard_put(s, n, shard)
            return scan.reply(r, s, 'split', n, shard)
        end
    end

    -- for the next one that may be cut
    return nil, math.min(later or clock.ms, clock.ms + 500)
end


-- The reply, or nil and when to look again; neither: nothing to do.
function scan.visit(r, c)
    local s = scan.open(r)
    local state = call('HGET', s.hash, 'state')

    if not replication_is_active(r) then
        return nil
    elseif not state then
        -- it asks whether there is to be a scan
        return { r.name, 'new' }, clock.ms + scan.ASK_MS
    elseif state == 'running' then
        return scan.work(r, s, c)
    elseif scan.owes(r, s) then
        scan.begin(r, 'repair', 'full', 0)
        return scan.work(r, s, c)
    elseif call('EXISTS', s.awaited) == 1 then
        scan.sweep(r, s)
        return nil, clock.ms + 1000
    end
end


-- Who does not run the current policy would leave out what a new rule takes,
-- and pay what is owed for it.
function scan.claim(keys, c)
    if (call('HGET', scan.POLICY, 'version') or '0') ~= digits(c.policy) then
        return {}
    end

    local page = call('ZRANGE', keys[1], '-inf', digits(clock.ms), 'BYSCORE',
                      'LIMIT', 0, scan.WALK_MAX)

    for _, name in ipairs(page) do
        local r = replication_open(name)

        if c.excluded[replication_follower(name)] then
            call('ZADD', keys[1], digits(clock.ms + 1000), name)
        else
            local reply, later = scan.visit(r, c)

            if not reply and not later then
                call('ZREM', keys[1], name)
            else
                call('ZADD', keys[1], digits(later or clock.ms), name)
            end
            if reply then
                return reply
            end
        end
    end

    return {}
end


function scan.page_read(a)
    scan.read_held(a)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
    a.bulk_max = args_integer(a, 'bulk_max', 1, MS_MAX)
    a.from = args_key(a)
    a.cursor = args_key(a)
    a.is_last = args_integer(a, 'is_last', 0, 1)
    a.counts = {}

    for i = 1, scan.TOLD do
        a.counts[scan.COUNTS[i]] = args_integer(a, scan.COUNTS[i], 0, MS_MAX)
    end

    a.marks, a.differences = {}, {}

    for i = 1, args_integer(a, 'marks', 0, MS_MAX) or 0 do
        a.marks[i] = { facets = args_integer(a, 'facets', 1, EVERYTHING),
                       key = args_key(a) }
        if a.error then
            return
        end
    end

    a.differences = args_groups(a, function()
        return { what = args_integer(a, 'what', 1, #scan.WHAT),
                 key = args_key(a), evidence = args_string(a, 'evidence', 0,
                                                  scan.EVIDENCE_MAX) }
    end)
end


-- Keys that wait already take no room.  A page that is more than there may ever
-- be is taken when nothing waits: else the scan would never end.
function scan.has_room(r, a)
    local n, bulk = #a.marks, call('ZCARD', r.bulk)

    return n == 0 or (bulk + n <= math.max(a.bulk_max, n)
                      and (mark_room(r) >= n
                           or (n > limit_of(r)
                               and not replication_has_work(r))))
end


function scan.advance(r, s, shard, a)
    for _, m in ipairs(a.marks) do
        scan.await(s, m.key)
        key_mark(r, m.key, { source = 'scan', ms = clock.ms,
                             facets = m.facets })
    end

    scan.report(s, a.differences)

    for i = 1, scan.TOLD do
        local name = scan.COUNTS[i]
        shard[name] = shard[name] + a.counts[name]
    end

    scan.pace(s, 'keys', a.counts.main + a.counts.surplus)
    shard.marked = shard.marked + #a.marks
    shard.pages = shard.pages + 1
    shard.first = shard.pages == 1 and a.cursor or shard.first
    shard.failures = 0
    shard.cursor = a.cursor
    shard.expiry = clock.ms + a.lease_ms

    if a.is_last == 1 then
        shard.state = 'done'
    end

    scan.shard_put(s, a.n, shard)
end


function scan.note(s, reason)
    if call('HGET', s.hash, 'reason') ~= reason then
        call('HSET', s.hash, 'reason', reason)
    end
end


-- What a page says of keys behind `to`, where the shard was cut meanwhile, is
-- somebody else's to say.
-- { what became of it, to, is_cut }
function scan.page(r, a)
    local s, shard = scan.shard_held(r, a)

    if not s then
        return { 'lost', '', 0 }
    end

    local reply = 'taken'

    if not replication_is_active(r) then
        reply = 'paused'
    elseif shard.cursor ~= a.from then
        -- it was taken, and only the reply got lost
        reply = shard.cursor == a.cursor and 'taken' or 'lost'
    elseif shard.is_cut == 1 and scan.is_before(shard.to, a.cursor) then
        reply = 'cut'
    elseif not scan.has_room(r, a) then
        scan.note(s, 'waits: as many keys as may be are in bulk')
        shard.expiry = clock.ms + a.lease_ms
        scan.shard_put(s, a.n, shard)
        reply = 'wait'
    elseif not scan.report_has_room(s, a.differences) then
        scan.note(s, 'waits: its report is full and nobody reads it')
        shard.expiry = clock.ms + a.lease_ms
        scan.shard_put(s, a.n, shard)
        reply = 'wait'
    else
        scan.note(s, '')
        scan.advance(r, s, shard, a)
        if a.is_last == 1 and scan.is_done(s) then
            scan.finish(r, s)
        end
    end

    return { reply, shard.to, shard.is_cut }
end


function scan.renew_read(a)
    scan.read_held(a)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
end


function scan.renew(r, a)
    local s, shard = scan.shard_held(r, a)

    if not s or not replication_is_active(r) then
        return 0
    end

    shard.expiry = clock.ms + a.lease_ms
    scan.shard_put(s, a.n, shard)

    return 1
end


function scan.release_read(a)
    scan.read_held(a)
    a.delay_ms = args_integer(a, 'delay_ms', 0, DELAY_MAX)
    a.is_failure = args_integer(a, 'is_failure', 0, 1)
    a.reason = args_string(a, 'reason', 0, MS_MAX)
end


function scan.release(r, a)
    local s, shard = scan.shard_held(r, a)

    if not s then
        return 0
    end

    shard.token = 0
    shard.expiry = 0
    shard.not_before = clock.ms + a.delay_ms
    shard.failures = shard.failures + a.is_failure
    scan.shard_put(s, a.n, shard)

    if a.reason ~= '' then
        scan.note(s, a.reason:sub(1, REASON_LEN_MAX))
    end

    if replication_is_active(r) then
        call('ZADD', scan.SCANS, 'LT', digits(clock.ms + a.delay_ms), r.name)
    end

    return 1
end


function scan.fail_read(a)
    scan.read_held(a)
    a.reason = args_string(a, 'reason', 1, MS_MAX)
end


-- It cannot be done, whoever tries: a person has to look.
function scan.fail(r, a)
    local s = scan.shard_held(r, a)

    if not s then
        return 0
    end

    scan.close(s, scan.totals(s), 'failed',
               a.reason:sub(1, REASON_LEN_MAX))

    return 1
end


function scan.split_read(a)
    a.id = args_token(a)
    a.n = args_integer(a, 'shard', 1, scan.SHARDS_MAX)
    a.at = args_string(a, 'at', 1, MS_MAX)
end


-- The first half ends at the key `at`, and keeps its worker.  The new shard
-- goes in first: what both cover is compared twice at worst, never left out.
function scan.split(r, a)
    local s = scan.open(r)
    local h = call('HMGET', s.hash, 'id', 'state')
    local shard = h[1] == a.id and h[2] == 'running'
                  and scan.shard_get(s, a.n)
    local n = call('HLEN', s.shards)

    if not shard or shard.state ~= 'open' or n >= scan.SHARDS_MAX
       or not scan.is_before(shard.cursor, a.at)
       or (shard.is_cut == 1 and not scan.is_before(a.at, shard.to))
    then
        return 0
    end

    scan.shard_put(s, n + 1, scan.shard_new(a.at, shard.to, shard.is_cut))
    shard.to = a.at
    shard.is_cut = 1
    scan.shard_put(s, a.n, shard)
    scan.kick(r)
    call('PUBLISH', WAKE, r.name)

    return 1
end


function scan.moving_read(a)
    a.keys = args_groups(a, args_key)
end


-- Which of the keys differ for the moment because a client has just changed
-- them, or because they are being copied: 1; 2: for as long as the retry of
-- their sync is not due, or the replication is held, which nobody waits for.
function scan.moving(r, a)
    local reply = {}
    local _, is_held = blocked.due(r)

    for i, key in ipairs(a.keys) do
        local place = place_of(r, key)

        if not place or place == 'failed' then
            reply[i] = 0
        else
            reply[i] = (place == 'retry' or is_held) and 2 or 1
        end
    end

    return reply
end


----------------------------------------------------------------------------
-- Scans: reports
----------------------------------------------------------------------------

-- The scan that runs, or the last one; nil: there was none.
function scan.json(r)
    local s = scan.open(r)
    local h, flat = {}, call('HGETALL', s.hash)

    for i = 1, #flat, 2 do
        h[flat[i]] = flat[i + 1]
    end

    if not h.id then
        return h.state and json_object({
            'replication', json_string(r.name), 'state',
            json_string(h.state), 'phase', json_string(h.state) })
    end

    local totals = h.state == 'running' and scan.totals(s) or h
    local fields = {
        'replication', json_string(r.name), 'id', h.id,
        'kind', json_string(h.kind), 'level', json_string(h.depth),
        'delete_surplus', h.deletes == '1' and 'true' or 'false',
        'state', json_string(h.state), 'reason', json_string(h.reason),
        'started_ms', h.started_ms, 'ended_ms', h.ended_ms,
        'took_ms', digits((h.state == 'running' and clock.ms
                           or tonumber(h.ended_ms)) - tonumber(h.started_ms)),
        'shards', digits(totals.shards or 0),
        'shards_done', digits(totals.shards_done or 0),
        'differences_kept', digits(call('XLEN', s.differences)),
        'differences_lost', h.lines_lost or '0',
    }

    for _, name in ipairs(scan.COUNTS) do
        fields[#fields + 1] = name
        fields[#fields + 1] = digits(totals[name] or 0)
    end

    for _, field in ipairs(scan.progress(r, s, h, totals)) do
        fields[#fields + 1] = field
    end

    return json_object(fields)
end


function scan.look(r)
    return scan.json(r) or false
end


-- As chorus_status, those that have had a scan.
function scan.list(keys, a)
    local page = call('SSCAN', keys[1], digits(a.cursor), 'COUNT', a.count)
    local rows = {}

    for _, name in ipairs(page[2]) do
        rows[#rows + 1] = scan.json(replication_open(name))
    end

    return json_object({ 'cursor', page[1], 'scans', json_array(rows) })
end


KEYS_OF.scans = { 1, 1, 'chorus:scans' }

register({
    { name = 'scan_claim', keys = 'scans', flags = DRAINS,
      read = scan.claim_read, run = scan.claim },
    { name = 'scan_page', keys = 'change', flags = WRITES,
      read = scan.page_read, run = scan.page },
    { name = 'scan_renew', keys = 'change', flags = DRAINS,
      read = scan.renew_read, run = scan.renew },
    { name = 'scan_release', keys = 'change', flags = DRAINS,
      read = scan.release_read, run = scan.release },
    { name = 'scan_fail', keys = 'change', flags = DRAINS,
      read = scan.fail_read, run = scan.fail },
    { name = 'scan_split', keys = 'change', flags = DRAINS,
      read = scan.split_read, run = scan.split },
    { name = 'scan_moving', keys = 'one', flags = READS,
      read = scan.moving_read, run = scan.moving },
    { name = 'scan_look', keys = 'one', flags = READS, run = scan.look },
    { name = 'scan_list', keys = 'replications', flags = READS,
      read = status_read, run = scan.list },
})

end scan_work_library() end
