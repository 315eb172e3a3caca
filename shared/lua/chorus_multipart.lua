----------------------------------------------------------------------------
-- Multipart uploads: what proxies saw of their parts, so that a worker can
-- make the same ones.  Best effort: it may be missing, late or wrong, since
-- the worker compares what it makes with main's ETag.
--
-- This file is joined to chorus.lua when the programs are built, and uses what
-- is local there; being a function of its own, it has room for more locals.
----------------------------------------------------------------------------

do local function multipart_library()

local multipart = {
    ID_LEN_MAX = 512,
    ETAG_LEN_MAX = 64,
    PARTS_MAX = 10000,
    SIZE_MAX = 5497558138880,       -- 5 TiB
    RUNS_LEN_MAX = 65536,           -- "1-3,7": the numbers of an object
    RECORD_LEN_MAX = 262144,        -- parts of one upload
    AGE_MAX = 604800000,            -- a week, in ms
    TRIM = 16,                      -- old ones a call removes
    OVERHEAD = 256,                 -- of one in Redis, about

    -- bytes: in the hash chorus:kept, with the overhead
    uploads = { index = 'chorus:uploads', prefix = 'chorus:upload:',
                field = 'uploads', bytes_max = 67108864 },
    layouts = { index = 'chorus:layouts', prefix = 'chorus:layout:',
                field = 'layouts', bytes_max = 67108864 },

    -- of one replication
    TWINS_MAX = 100000,
    RECORD_MAX = 4096,
}


function multipart.cost(shelf, id)
    if not call('ZSCORE', shelf.index, id) then
        return 0
    end
    return call('STRLEN', shelf.prefix .. id) + multipart.OVERHEAD
end


function multipart.drop(shelf, id)
    local cost = multipart.cost(shelf, id)

    call('DEL', shelf.prefix .. id)
    call('HINCRBY', 'chorus:kept', shelf.field, 0 - cost)
    return call('ZREM', shelf.index, id)
end


-- The oldest go: those of last week, and those that are too many.
function multipart.trim(shelf)
    for _ = 1, multipart.TRIM do
        local first = call('ZRANGE', shelf.index, 0, 0, 'WITHSCORES')

        if #first == 0 then
            -- whatever a Redis that lost its tail had counted
            call('HDEL', 'chorus:kept', shelf.field)
            return
        end

        local bytes = tonumber(call('HGET', 'chorus:kept', shelf.field) or 0)

        if bytes <= shelf.bytes_max
           and age_of(tonumber(first[2])) <= multipart.AGE_MAX then
            return
        end

        multipart.drop(shelf, first[1])
    end
end


-- write() changes what is kept under the id
function multipart.keep(shelf, id, write)
    local before = multipart.cost(shelf, id)

    write(shelf.prefix .. id)
    call('ZADD', shelf.index, digits(clock.ms), id)
    call('HINCRBY', 'chorus:kept', shelf.field,
         multipart.cost(shelf, id) - before)
    multipart.trim(shelf)
end


function multipart.part_read(a)
    a.id = args_string(a, 'upload id', 1, multipart.ID_LEN_MAX)
    a.number = args_integer(a, 'number', 1, multipart.PARTS_MAX)
    a.size = args_integer(a, 'size', 0, multipart.SIZE_MAX)
end


-- "number=size,": the last one of a number counts
function multipart.part(keys, a)
    if call('STRLEN', multipart.uploads.prefix .. a.id)
       >= multipart.RECORD_LEN_MAX then
        return 0
    end

    multipart.keep(multipart.uploads, a.id, function(key)
        call('APPEND', key, a.number .. '=' .. digits(a.size) .. ',')
    end)

    return 1
end


function multipart.complete_read(a)
    a.id = args_string(a, 'upload id', 1, multipart.ID_LEN_MAX)
    a.etag = args_string(a, 'etag', 1, multipart.ETAG_LEN_MAX)
    a.runs = args_string(a, 'numbers', 1, multipart.RUNS_LEN_MAX)
    a.is_over = args_integer(a, 'is_over', 0, 1)

    if not a.error and not (a.runs .. ','):find('^[%d,-]+$') then
        a.error = 'ARGV[3] numbers: must be like 1-3,7'
    end
end


-- sizes in the order of the numbers, "8388608x12,5242880"; nil if a part was
-- not seen
function multipart.sizes(runs, seen)
    local sizes, last, times, n = {}, nil, 0, 0

    local function flush()
        if times > 0 then
            sizes[#sizes + 1] = times > 1 and last .. 'x' .. times or last
        end
    end

    for first, dash, final in runs:gmatch('(%d+)(%-?)(%d*)') do
        local to = dash == '-' and final ~= '' and final or first

        for number = tonumber(first), tonumber(to) do
            local size = seen[number]
            n = n + 1

            if not size or n > multipart.PARTS_MAX then
                return nil
            end

            if size ~= last then
                flush()
                last, times = size, 0
            end

            times = times + 1
        end
    end

    flush()
    return #sizes > 0 and table.concat(sizes, ',') or nil
end


function multipart.complete(keys, a)
    local seen = {}
    local record = call('GET', multipart.uploads.prefix .. a.id) or ''

    for number, size in record:gmatch('(%d+)=(%d+),') do
        seen[tonumber(number)] = size
    end

    local sizes = multipart.sizes(a.runs, seen)

    if sizes then
        multipart.keep(multipart.layouts, a.etag, function(key)
            call('SET', key, sizes)
        end)
    end

    if a.is_over == 1 then
        multipart.drop(multipart.uploads, a.id)
    end

    return sizes and 1 or 0
end


function multipart.abort_read(a)
    a.id = args_string(a, 'upload id', 1, multipart.ID_LEN_MAX)
end


function multipart.abort(keys, a)
    return multipart.drop(multipart.uploads, a.id)
end


function multipart.layout_read(a)
    a.etag = args_string(a, 'etag', 1, multipart.ETAG_LEN_MAX)
end


function multipart.layout(keys, a)
    return call('GET', multipart.layouts.prefix .. a.etag)
end


-- Uploads of our own on a follower: what the next worker needs to go on, or
-- to end them.  Only who holds the key may say so.

function multipart.begin_read(a)
    a.key = args_key(a)
    a.token = args_token(a)
    a.record = args_string(a, 'record', 1, multipart.RECORD_MAX)
end


function multipart.begin(r, a)
    if not lease_is_held(r, a.key, a.token) then
        return 0
    end

    call('HSET', r.uploads, a.key, a.record)
    return 1
end


function multipart.over_read(a)
    a.key = args_key(a)
    a.record = args_string(a, 'record', 1, multipart.RECORD_MAX)
end


function multipart.over(r, a)
    if call('HGET', r.uploads, a.key) ~= a.record then
        return 0
    end

    return call('HDEL', r.uploads, a.key)
end


-- Objects that are equal although their ETags differ.  One too many makes room
-- by chance: it is copied once more.

function multipart.twin_keep_read(a)
    a.key = args_key(a)
    a.record = args_string(a, 'record', 0, multipart.RECORD_MAX)
end


-- An empty record is forgotten.
function multipart.twin_keep(r, a)
    if a.record == '' then
        return call('HDEL', r.twins, a.key)
    end

    call('HSET', r.twins, a.key, a.record)

    if call('HLEN', r.twins) > multipart.TWINS_MAX then
        call('HDEL', r.twins, call('HRANDFIELD', r.twins))
    end

    return 1
end


function multipart.twin_read(a)
    a.key = args_key(a)
end


function multipart.twin(r, a)
    return call('HGET', r.twins, a.key)
end


KEYS_OF.uploads = { 1, 1, 'chorus:uploads' }
KEYS_OF.layouts = { 1, 1, 'chorus:layouts' }
KEYS_OF.uploads_layouts = { 2, 2, 'chorus:uploads chorus:layouts' }

register({
    { name = 'part', keys = 'uploads', flags = WRITES,
      read = multipart.part_read, run = multipart.part },
    { name = 'part_complete', keys = 'uploads_layouts', flags = WRITES,
      read = multipart.complete_read, run = multipart.complete },
    { name = 'part_abort', keys = 'uploads', flags = DRAINS,
      read = multipart.abort_read, run = multipart.abort },
    { name = 'layout', keys = 'layouts', flags = READS,
      read = multipart.layout_read, run = multipart.layout },
    { name = 'upload_begin', keys = 'one', flags = DRAINS,
      read = multipart.begin_read, run = multipart.begin },
    { name = 'upload_over', keys = 'one', flags = DRAINS,
      read = multipart.over_read, run = multipart.over },
    { name = 'twin_keep', keys = 'one', flags = DRAINS,
      read = multipart.twin_keep_read, run = multipart.twin_keep },
    { name = 'twin', keys = 'one', flags = READS,
      read = multipart.twin_read, run = multipart.twin },
})

end multipart_library() end
