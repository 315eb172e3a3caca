----------------------------------------------------------------------------
-- What was changed and by whom, the newest first.  The dynamic policy writes
-- its own entries; what other functions do is audited by calling them through
-- chorus_audited.
----------------------------------------------------------------------------

do local function audit_library()

local AUDIT_MAX = 1000
local WHO_MAX = 64
local TEXT_MAX = 1024           -- of a reply that an entry keeps
local ARG_MAX = 256
local ARGS_MAX = 10
local FILTER_MAX = 64

-- name of a function -> kind and action, and how many of its arguments are of
-- no interest to anybody who reads the log
local AUDITED = {
    limits_set = { 'limits', 'set', 3 },
    retry_parked = { 'failed', 'retry', 2 },
    drop_parked = { 'failed', 'drop', 2 },
    scan_start = { 'scan', 'start', 0 },
    scan_stop = { 'scan', 'stop', 0 },
    -- what becomes of it, chorus_forget.lua tells
    forget = { 'queue', 'ask to forget', 1 },
}


----------------------------------------------------------------------------
-- The log
----------------------------------------------------------------------------

local function log_read(a)
    a.offset = args_integer(a, 'offset', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)

    if args_more(a) then
        a.kind = args_string(a, 'kind', 0, FILTER_MAX)
        a.who = args_string(a, 'who', 0, FILTER_MAX)
    end
end


-- Entries of that kind, by that person; "" for any.
local function log_filtered(all, a)
    local found = {}

    for _, text in ipairs(all) do
        local good, entry = pcall(cjson.decode, text)

        if good and type(entry) == 'table'
           and (a.kind == '' or entry.kind == a.kind)
           and (a.who == '' or entry.who == a.who)
        then
            found[#found + 1] = text
        end
    end

    return found
end


local function log(keys, a)
    local all, page, total = nil, {}, nil

    if (a.kind or '') == '' and (a.who or '') == '' then
        page = call('LRANGE', keys[1], digits(a.offset),
                    digits(a.offset + a.count - 1))
        total = call('LLEN', keys[1])
    else
        all = log_filtered(call('LRANGE', keys[1], 0, -1), a)
        total = #all
        for i = a.offset + 1, math.min(total, a.offset + a.count) do
            page[#page + 1] = all[i]
        end
    end

    return json_object({ 'total', digits(total),
                         'entries', json_array(page) })
end


----------------------------------------------------------------------------
-- Functions that are called with the name of who calls
----------------------------------------------------------------------------

local function audited_args(a)
    a.who = args_string(a, 'who', 1, WHO_MAX)
    a.id = args_string(a, 'id', 0, TEXT_MAX)

    local name = a.argv[a.next] or ''

    if not AUDITED[name] then
        args_reject(a, 'function', 'is none that is audited', name)
    end

    a.name = args_string(a, 'function', 1, ARG_MAX)
    a.rest = {}

    while args_more(a) do
        a.rest[#a.rest + 1] = args_string(a, 'argument', 0, MS_MAX)
    end
end


-- It said that it has changed nothing.
local function is_nothing(reply)
    return not reply or type(reply) == 'number' and reply <= 0
           or type(reply) == 'string' and (reply:find('"moved":0}', 1, true)
                                 or reply:find('"dropped":0,', 1, true))
end


local function reply_text(reply)
    if type(reply) == 'number' then
        return digits(reply)
    end

    return #reply <= TEXT_MAX and reply
           or json_string(reply:sub(1, TEXT_MAX))
end


local function args_text(a, from)
    local texts = {}

    for i = from + 1, math.min(#a.rest, from + ARGS_MAX) do
        texts[#texts + 1] = json_string(a.rest[i]:sub(1, ARG_MAX))
    end

    return json_array(texts)
end


-- An error of the function is that of this one, and no entry.
local function audited(keys, a)
    local row = AUDITED[a.name]
    local reply = KEYS_OF.serve(a.name, { unpack(keys, 2) }, a.rest)

    if type(reply) == 'table' or is_nothing(reply) then
        return reply
    end

    call('LPUSH', keys[1], json_object({
        'at_ms', digits(clock.ms), 'who', json_string(a.who),
        'action', json_string(row[2]), 'kind', json_string(row[1]),
        'id', json_string(a.id), 'version', '0',
        'before', args_text(a, row[3]), 'after', reply_text(reply),
    }))
    call('LTRIM', keys[1], 0, AUDIT_MAX - 1)

    return reply
end


KEYS_OF.audit = { 1, 1, 'chorus:audit' }
KEYS_OF.audited = { 2, 8, 'chorus:audit and those of the function' }

register({
    { name = 'audit', keys = 'audit', flags = READS, read = log_read,
      run = log },
    { name = 'audited', keys = 'audited', flags = DRAINS,
      read = audited_args, run = audited },
})

end audit_library() end
