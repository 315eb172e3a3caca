----------------------------------------------------------------------------
-- Workers: what each of them says about itself once a second, for metrics and
-- dashboards.  Nothing is decided by it.
----------------------------------------------------------------------------

do local function workers_library()

local WORKER_LIFE = 10000       -- silent for so many ms: gone
local WORKERS_MAX = 256         -- more are not told apart
local WORKERS_A_REPORT = 16     -- that are gone, forgotten by one report
local STORAGES_MAX = 64
local STORAGE_LEN_MAX = 128


local function report_read_storage(a)
    return { storage = args_string(a, 'storage', 1, STORAGE_LEN_MAX),
             requests = args_integer(a, 'requests', 0, MS_MAX),
             errors = args_integer(a, 'errors', 0, MS_MAX),
             throttles = args_integer(a, 'throttles', 0, MS_MAX) }
end


local function report_read(a)
    a.worker = args_string(a, 'worker', 1, WORKER_LEN_MAX)
    a.leaves = args_integer(a, 'leaves', 0, 1)
    a.slots = args_integer(a, 'slots', 0, MS_MAX)
    a.busy = args_integer(a, 'busy', 0, MS_MAX)
    a.storages = args_groups(a, report_read_storage)

    if a.storages and #a.storages > STORAGES_MAX then
        a.error = a.error or 'too many storages'
    end
end


local function report_text(a)
    local rows = {}

    for i, s in ipairs(a.storages) do
        rows[i] = json_object({
            'storage', json_string(s.storage),
            'requests', digits(s.requests), 'errors', digits(s.errors),
            'throttles', digits(s.throttles),
        })
    end

    return string.format('"slots":%s,"busy":%s,"storages":%s',
                         digits(a.slots), digits(a.busy), json_array(rows))
end


local function forget(keys, names)
    for _, name in ipairs(names) do
        call('HDEL', keys[1], name)
        call('ZREM', keys[2], name)
    end
end


-- 1: noted, 0: there are too many
local function report(keys, a)
    forget(keys, call('ZRANGE', keys[2], '-inf', digits(clock.ms), 'BYSCORE',
                      'LIMIT', 0, WORKERS_A_REPORT))

    if a.leaves == 1 then
        forget(keys, { a.worker })
        return 1
    elseif call('HEXISTS', keys[1], a.worker) == 0
           and call('HLEN', keys[1]) >= WORKERS_MAX
    then
        return 0
    end

    call('HSET', keys[1], a.worker, digits(clock.ms) .. ' ' .. report_text(a))
    call('ZADD', keys[2], digits(clock.ms + WORKER_LIFE), a.worker)

    -- of those of which none says goodbye
    call('PEXPIRE', keys[1], digits(WORKER_LIFE))
    call('PEXPIRE', keys[2], digits(WORKER_LIFE))

    return 1
end


local function workers(keys)
    local rows = {}

    for _, name in ipairs(call('ZRANGE', keys[2], digits(clock.ms), '+inf',
                               'BYSCORE', 'LIMIT', 0, WORKERS_MAX))
    do
        local text = call('HGET', keys[1], name) or ''
        local seen, said = text:match('^(%d+) (.*)$')

        if seen then
            rows[#rows + 1] = '{"worker":' .. json_string(name)
                              .. ',"age_ms":' .. digits(age_of(tonumber(seen)))
                              .. ',' .. said .. '}'
        end
    end

    return json_object({ 'workers', json_array(rows) })
end


KEYS_OF.workers = { 2, 2, 'chorus:workers chorus:workers:alive' }

register({
    { name = 'worker_report', keys = 'workers', flags = DRAINS,
      read = report_read, run = report },
    { name = 'workers', keys = 'workers', flags = READS, run = workers },
})

end workers_library() end
