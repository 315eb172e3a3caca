----------------------------------------------------------------------------
-- Scans: main's and the follower's listing of one bucket compared, page by
-- page.  The bucket's keys are cut into shards, (from, to] each; a worker
-- leases one, and tells a page at a time.  All that a page changes in the
-- shard is one field of one hash, its record: who dies loses a page at most,
-- and none is counted twice.
--
--     chorus:scans       R -> when there may be something to do     zset
--     chorus:{R}:scan    the scan that runs, or the last one        hash
--     :shards            number -> record, while it runs            hash
--     :differences       the report, chorus_scan_report.lua         stream
--
-- This file is joined to chorus.lua when the programs are built, and uses what
-- is local there; being a function of its own, it has room for more locals.
----------------------------------------------------------------------------

do local function scan_library()

scan.SCANS = 'chorus:scans'
scan.DISCOVER = 'chorus:discover'
scan.POLICY = 'chorus:policy'
scan.KINDS = { 'migrate', 'check', 'repair' }
scan.DEPTHS = { 'quick', 'full', 'content' }
scan.COUNTS = { 'main', 'follower', 'equal', 'different', 'missing',
                'surplus', 'moving', 'undecided', 'unchecked', 'bytes',
                'marked', 'pages' }
scan.TOLD = 10                  -- of them by workers, the others counted here
scan.WHAT = { 'different', 'missing', 'surplus', 'unchecked' }
scan.RULES_REST = 5000          -- ms between looks for the sake of new rules
scan.LOOK_TAKES = 60000
scan.SHARDS_MAX = 64            -- of one scan, those that are done included
scan.SPLIT_PAGES = 4            -- a shard that has taken so many may be cut
scan.WALK_MAX = 100             -- replications a claim looks at
scan.ASK_MS = 3000              -- then the next worker is asked about a new one
scan.RECORD = { 'from', 'to', 'is_cut', 'cursor', 'state', 'token', 'expiry',
                'not_before', 'failures', 'split_pages', 'first' }


function scan.open(r)
    return { hash = r.hash .. ':scan', shards = r.hash .. ':shards',
             differences = r.hash .. ':differences',
             awaited = r.hash .. ':awaited', givenup = r.hash .. ':givenup',
             pace = r.hash .. ':pace' }
end


-- there may be something to do at once
function scan.kick(r)
    call('ZADD', scan.SCANS, 'LT', digits(clock.ms), r.name)
end


-- By their bytes, as listings are: `<` goes by the locale of redis-server.
function scan.is_before(a, b)
    for i = 1, math.min(#a, #b) do
        local x, y = a:byte(i), b:byte(i)
        if x ~= y then
            return x < y
        end
    end

    return #a < #b
end


----------------------------------------------------------------------------
-- Scans: shards
----------------------------------------------------------------------------

-- is_cut: `to` bounds it; without, it goes to the end of the bucket
function scan.shard_new(from, to, is_cut)
    local shard = { from = from, to = to, is_cut = is_cut, cursor = from,
                    state = 'open', token = 0, expiry = 0, not_before = 0,
                    failures = 0, split_pages = 0, first = '' }

    for _, name in ipairs(scan.COUNTS) do
        shard[name] = 0
    end

    return shard
end


function scan.shard_put(s, n, shard)
    local values = {}

    for _, name in ipairs(scan.RECORD) do
        values[#values + 1] = shard[name]
    end
    for _, name in ipairs(scan.COUNTS) do
        values[#values + 1] = shard[name]
    end

    call('HSET', s.shards, n, cmsgpack.pack(values))
end


function scan.shard_get(s, n)
    local record = call('HGET', s.shards, n)
    local values = record and cmsgpack.unpack(record)
    local shard = {}

    if not values then
        return nil
    end

    for i, name in ipairs(scan.RECORD) do
        shard[name] = values[i]
    end
    for i, name in ipairs(scan.COUNTS) do
        shard[name] = values[#scan.RECORD + i]
    end

    return shard
end


-- { number, shard } of all, in the order in which they were made
function scan.shards_of(s)
    local list = {}

    for n = 1, call('HLEN', s.shards) do
        list[n] = scan.shard_get(s, n)
    end

    return list
end


-- The shard that the worker says it holds, or nil: somebody else does, or the
-- scan is another one by now.
function scan.shard_held(r, a)
    local s = scan.open(r)
    local h = call('HMGET', s.hash, 'id', 'state')
    local shard = h[1] == a.id and h[2] == 'running'
                  and scan.shard_get(s, a.n)

    if shard and shard.state == 'open' and digits(shard.token) == a.token then
        return s, shard
    end
end


function scan.read_held(a)
    a.id = args_token(a)
    a.n = args_integer(a, 'shard', 1, scan.SHARDS_MAX)
    a.token = args_token(a)
end


----------------------------------------------------------------------------
-- Scans: begin and end
----------------------------------------------------------------------------

-- Only one that looks at everything pays what is owed: a change of tags is
-- not seen in a listing.
function scan.pays(kind, depth)
    return kind ~= 'check' and depth == 'full'
end


-- report: a reader takes its lines away, and it waits for that
function scan.begin(r, kind, depth, surplus, report)
    local s = scan.open(r)
    local owed = debt_of(r.hash)
    local owed_all = debt_of(OWED)
    local owed_id, owed_all_id = owed and owed.id or '',
                                 owed_all and owed_all.id or ''
    local id = digits(replication_tokens(r, 1))

    scan.kick(r)
    call('DEL', s.shards, s.differences)
    scan.forget(s)
    scan.shard_put(s, 1, scan.shard_new('', '', 0))
    call('HDEL', s.hash, 'report_full_ms')
    call('HSET', s.hash, 'id', id, 'kind', kind, 'depth', depth, 'deletes',
         surplus, 'started_ms', digits(clock.ms), 'ended_ms', '0',
         'reason', '', 'report', report or 0, 'lines', 0, 'lines_lost', 0,
         'lines_bytes', 0, 'owed', owed_id, 'owed_all', owed_all_id,
         'state', 'running')

    -- a check or a quick one later does not undo that
    if scan.pays(kind, depth) then
        call('HSET', s.hash, 'tried', owed_id, 'tried_all', owed_all_id)
    end

    call('PUBLISH', WAKE, r.name)

    return id
end


function scan.totals(s)
    local totals = { shards = 0, shards_done = 0 }

    for _, name in ipairs(scan.COUNTS) do
        totals[name] = 0
    end

    for _, shard in ipairs(scan.shards_of(s)) do
        totals.shards = totals.shards + 1
        if shard.state == 'done' then
            totals.shards_done = totals.shards_done + 1
        end
        for _, name in ipairs(scan.COUNTS) do
            totals[name] = totals[name] + shard[name]
        end
    end

    return totals
end


-- Totals and state in one write: there is no end without its figures.
function scan.close(s, totals, state, reason)
    local fields = { 'state', state, 'reason', reason, 'ended_ms',
                     digits(clock.ms) }

    for name, n in pairs(totals) do
        fields[#fields + 1] = name
        fields[#fields + 1] = digits(n)
    end

    call('HSET', s.hash, unpack(fields))
    call('DEL', s.shards)
end


-- What is owed may be deletes, too: those a person has to ask for, and until
-- then they are owed.
function scan.pay(r, s, totals)
    local h = call('HMGET', s.hash, 'kind', 'depth', 'deletes', 'owed',
                   'owed_all')

    if not scan.pays(h[1], h[2]) then
        return
    end

    if totals.surplus > 0 and h[3] ~= '1' then
        return totals.surplus .. ' keys that only the follower has: what is '
               .. 'owed may be their deletion'
    end

    if h[4] ~= '' then
        debt_pay(r.hash, h[4])
    end

    call('HSET', s.hash, 'covered', h[5])
end


-- How much a scan that found nothing has compared itself: what a full repair
-- has marked is looked at later, one key after the other.
function scan.compared(s)
    local h = call('HMGET', s.hash, 'kind', 'depth')
    return (h[1] == 'check' or h[2] == 'content') and h[2] or 'quick'
end


-- The end itself comes last: half of this is done again by whoever asks for
-- work and finds that there is none left.
function scan.finish(r, s)
    local totals = scan.totals(s)
    local reason = scan.pay(r, s, totals) or ''

    guard.counted(r, totals)
    scan.verify(s, totals)
    scan.learn(s, totals)
    scan.close(s, totals, 'ended', reason)
    scan.rest(s)
    scan.kick(r)
end


function scan.start_read(a)
    a.kind = args_one_of(a, 'kind', scan.KINDS)
    a.depth = args_one_of(a, 'depth', scan.DEPTHS)
    a.surplus = args_integer(a, 'surplus', 0, 1)
    a.report = args_more(a) and args_integer(a, 'report', 0, 1) or 0
end


-- 0 while one runs, -1 where nothing was ever replicated: a slip of the pen
-- would be a new replication, and a repair fills, or empties, its follower.
function scan.start(r, a)
    if call('EXISTS', r.hash) == 0 then
        return -1
    end

    if call('HGET', scan.open(r).hash, 'state') == 'running' then
        return 0
    end

    return tonumber(scan.begin(r, a.kind, a.depth, a.surplus, a.report))
end


function scan.stop(r)
    local s = scan.open(r)

    if call('HGET', s.hash, 'state') ~= 'running' then
        return 0
    end

    scan.close(s, scan.totals(s), 'stopped', '')
    return 1
end


----------------------------------------------------------------------------
-- Scans: which ones there have to be
----------------------------------------------------------------------------

-- Once for each debt, however that ended: a person is asked next.
function scan.owes(r, s)
    local owed, owed_all = debt_of(r.hash), debt_of(OWED)
    local h = call('HMGET', s.hash, 'tried', 'tried_all', 'covered')

    return owed and h[1] ~= owed.id
           or owed_all and h[3] ~= owed_all.id and h[2] ~= owed_all.id
end


function scan.ensure_read(a)
    a.migrates = args_integer(a, 'migrates', 0, 1)
    a.policy = args_integer(a, 'policy', 0, MS_MAX)
end


-- A replication that a worker has found, or asks about.  One that is not to
-- be migrated has nothing to make good of the time before this Redis knew it.
-- Who does not run the current policy yet may take a rule that is not to be
-- migrated for none, and so decides nothing.
-- 1: no debt of all replications is open here.
function scan.ensure(r, a)
    local s = scan.open(r)
    local owed_all = debt_of(OWED)
    local state = call('HGET', s.hash, 'state')

    if not state
       and (call('HGET', scan.POLICY, 'version') or '0') ~= digits(a.policy)
    then
        return 0
    end

    replication_create(r, a.set)

    if not state and a.migrates == 0 then
        call('HSET', s.hash, 'state', 'skipped', 'covered',
             owed_all and owed_all.id or '')
        state = 'skipped'
    end

    if state ~= 'running' and (not state or scan.owes(r, s)) then
        scan.begin(r, state and 'repair' or 'migrate',
                   (debt_of(r.hash) or owed_all) and 'full' or 'quick', 0)
    end

    return (not owed_all or call('HGET', s.hash, 'covered') == owed_all.id)
           and 1 or 0
end


function scan.discover_read(a)
    a.interval_ms = args_integer(a, 'interval_ms', 1, DELAY_MAX)
    a.policy = args_more(a) and args_integer(a, 'policy', 0, MS_MAX) or 0
end


-- Whether the rules are others than when buckets were listed last, and who
-- asks runs them.  Many that are set one after the other are one reason, and
-- somebody who looks is given a minute.
function scan.has_news(a, h)
    return h.policy ~= digits(a.policy)
           and (call('HGET', scan.POLICY, 'version') or '0')
               == digits(a.policy)
           and clock.ms >= h.looked_ms + scan.RULES_REST
           and (not h.looks or clock.ms >= h.looked_ms + scan.LOOK_TAKES)
end


-- One worker at a time looks which buckets there are: { 1 or 0, what all owe }
function scan.discover(keys, a)
    local h = call('HMGET', keys[1], 'next_ms', 'owed', 'looked_ms', 'looks',
                   'policy')
    local next_ms = tonumber(h[1] or 0)
    local owed_all = debt_of(OWED)
    local is_due = clock.ms >= next_ms
                   -- the interval was longer when that was set
                   or next_ms > clock.ms + a.interval_ms
                   or owed_all and h[2] ~= owed_all.id
                   or scan.has_news(a, { looked_ms = tonumber(h[3] or 0),
                                         looks = h[4],
                                         policy = h[5] or '0' })

    if is_due then
        call('HSET', keys[1], 'next_ms', digits(clock.ms + a.interval_ms),
             'looked_ms', digits(clock.ms), 'looks', '1',
             'owed', owed_all and owed_all.id or '')
    end

    return { is_due and 1 or 0, owed_all and owed_all.id or '' }
end


function scan.looked_read(a)
    a.policy = args_integer(a, 'policy', 0, MS_MAX)
    a.is_whole = args_integer(a, 'is_whole', 0, 1)
end


-- What could not be listed is no news that was seen.
function scan.looked(keys, a)
    if a.is_whole == 1 then
        call('HSET', keys[1], 'policy', digits(a.policy))
    end

    return call('HDEL', keys[1], 'looks')
end


KEYS_OF.discover = { 1, 1, 'chorus:discover' }

register({
    { name = 'scan_start', keys = 'change', flags = DRAINS,
      read = scan.start_read, run = scan.start },
    { name = 'scan_stop', keys = 'change', flags = DRAINS, run = scan.stop },
    { name = 'scan_ensure', keys = 'change', flags = DRAINS,
      read = scan.ensure_read, run = scan.ensure },
    { name = 'scan_discover', keys = 'discover', flags = DRAINS,
      read = scan.discover_read, run = scan.discover },
    { name = 'scan_looked', keys = 'discover', flags = DRAINS,
      read = scan.looked_read, run = scan.looked },
})

end scan_library() end
