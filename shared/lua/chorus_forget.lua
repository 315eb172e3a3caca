----------------------------------------------------------------------------
-- To forget a replication that no rule leads to any more: its queue, its scan,
-- its counters.  A person asks for it; every worker says whether its chorus.json
-- or the policy it runs has a rule for it; and a mark that comes meanwhile is
-- somebody who still replicates it.  Nothing is dropped on doubt.
--
--     chorus:forget   R, those that somebody looks at   set; only a hint, what
--                     counts is forget_ms
--
-- Of the replication, while it is being decided: forget_ms, forget_who,
-- forget_agreed, the workers that have no rule for it.
----------------------------------------------------------------------------

do local function forget_library()

local FORGET = 'chorus:forget'
local GUARDED = 'chorus:guarded'
local AUDIT = 'chorus:audit'
local READERS, ALIVE = 'chorus:policy:readers', 'chorus:policy:alive'
local AUDIT_MAX = 1000
local WHO_MAX = 64
local PAGE = 100
local SETTLE_MS = 6000          -- in which proxies get to know a policy, and
                                -- those that do not ask are taken for dead
local PATIENCE_MS = 60000       -- for all workers to agree


local function forget_audit(r, who, action, why)
    call('LPUSH', AUDIT, json_object({
        'at_ms', digits(clock.ms), 'who', json_string(who), 'action',
        json_string(action), 'kind', json_string('queue'), 'id',
        json_string(r.name), 'version', digits(clock.us), 'before',
        json_string(why), 'after', 'null' }))
    call('LTRIM', AUDIT, 0, AUDIT_MAX - 1)
end


-- It stays.  The flag goes first: without it nothing is ever dropped.
function forget.keep(r, why)
    local who = call('HGET', r.hash, 'forget_who')

    call('HDEL', r.hash, 'forget_ms', 'forget_who', 'forget_agreed')
    call('SREM', FORGET, r.name)
    forget_audit(r, who or '', 'keep', why)

    if replication_is_active(r) then
        replication_wake(r)
    end
end


local function ask_read(a)
    a.who = args_string(a, 'who', 1, WHO_MAX)
end


-- 0: there is no such replication
local function ask(r, a)
    if call('EXISTS', r.hash) == 0 then
        return 0
    end

    call('SADD', FORGET, r.name)
    call('HSET', r.hash, 'forget_ms', digits(clock.ms), 'forget_who', a.who,
         'forget_agreed', ' ')
    call('PUBLISH', WAKE, 'paused')

    return 1
end


-- How many replications there ever were (none is new while that is the same),
-- and which ones are to be forgotten.
local function news(keys)
    local found = { tonumber(call('HGET', keys[1], 'made') or 0) }
    local names = call('SRANDMEMBER', keys[2], PAGE)

    for _, name in ipairs(names) do
        found[#found + 1] = name
    end

    return found
end


-- Whether each worker that lives has no rule for it.
local function all_agree(agreed)
    for _, name in ipairs(call('ZRANGE', ALIVE, digits(clock.ms), '+inf',
                               'BYSCORE'))
    do
        local record = call('HGET', READERS, name) or ''

        if record:find('^worker ')
           and not agreed:find(' ' .. name .. ' ', 1, true)
        then
            return false
        end
    end

    return true
end


local function is_held(r)
    local last = call('ZREVRANGE', r.leases, 0, 0, 'WITHSCORES')
    return last[2] and tonumber(last[2]) > clock.ms
end


-- One command: there is no half of it.
local function drop(r, a)
    local s = scan.open(r)
    local keys = { r.hash, s.hash, s.shards, s.differences, s.evidence }
    local stats = stats_collect(r)

    for name, key in pairs(r) do
        if name ~= 'name' and name ~= 'schedule' and name ~= 'hash' then
            keys[#keys + 1] = key
        end
    end

    forget_audit(r, call('HGET', r.hash, 'forget_who') or '', 'forget',
        string.format('%s keys waited, %s were parked, %s scans owed',
                      digits(stats.dirty + stats.bulk + stats.busy
                             + stats.retry), digits(stats.failed),
                      digits(stats.owed)))
    call('UNLINK', unpack(keys))
    call('SREM', a.set, r.name)
    call('ZREM', scan.SCANS, r.name)
    call('HDEL', GUARDED, r.name)
    call('SREM', FORGET, r.name)
end


local function word_read(a)
    a.worker = args_string(a, 'worker_id', 1, WORKER_LEN_MAX)
    a.leads = args_integer(a, 'leads', 0, 1)
    a.policy = args_integer(a, 'policy', 0, MS_MAX)
end


-- What a worker has to say: 1 it is forgotten, 0 not yet, -1 it stays.
local function word(r, a)
    local h = call('HMGET', r.hash, 'forget_ms', 'forget_agreed')

    if not h[1] then
        call('SREM', FORGET, r.name)
        return -1
    elseif a.leads == 1 then
        forget.keep(r, 'a rule of worker ' .. a.worker .. ' leads there')
        return -1
    end

    local agreed = h[2] or ' '

    -- who does not run the current policy does not know
    if (call('HGET', scan.POLICY, 'version') or '0') == digits(a.policy)
       and not agreed:find(' ' .. a.worker .. ' ', 1, true)
    then
        agreed = agreed .. a.worker .. ' '
        call('HSET', r.hash, 'forget_agreed', agreed)
    end

    if age_of(tonumber(h[1])) >= SETTLE_MS and not is_held(r)
       and all_agree(agreed)
    then
        drop(r, a)
        return 1
    elseif age_of(tonumber(h[1])) >= PATIENCE_MS then
        forget.keep(r, 'not all workers have agreed')
        return -1
    end

    return 0
end


KEYS_OF.news = { 2, 2, 'chorus:discover chorus:forget' }

register({
    { name = 'forget', keys = 'change', flags = DRAINS, read = ask_read,
      run = ask },
    { name = 'news', keys = 'news', flags = READS, run = news },
    { name = 'forget_word', keys = 'change', flags = DRAINS,
      read = word_read, run = word },
})

end forget_library() end
