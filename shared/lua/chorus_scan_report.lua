----------------------------------------------------------------------------
-- Scans: the report of a check, a line for each difference, numbered from 1.
-- It is a stream of bounded size.  A check that is to be reported as a whole
-- waits while that is full, until a reader has taken lines away; when nobody
-- has for a while, and with any other scan, lines beyond are only counted.
--
--     of :scan   lines         how many there were        lines_lost
--                lines_bytes   of those in the stream     report   1: it waits
--                report_full_ms  since when it waits
----------------------------------------------------------------------------

do local function scan_report_library()

scan.LINES_MAX = 10000
scan.LINES_BYTES = 2097152
scan.LINE_BYTES = 64            -- beside key and evidence
scan.EVIDENCE_MAX = 16384
scan.PATIENCE_MS = 600000       -- then the check goes on without its reader
scan.READ_BYTES = 524288        -- of one reply, about


function scan.line_bytes(key, evidence)
    return #key + #evidence + scan.LINE_BYTES
end


function scan.lines_fit(kept, bytes)
    return kept <= scan.LINES_MAX and bytes <= scan.LINES_BYTES
end


-- The number of the last line; after half a transition the stream knows it.
function scan.line_last(s, lines)
    local last = call('XREVRANGE', s.differences, '+', '-', 'COUNT', 1)[1]
    local n = last and tonumber(last[1]:match('^%d+')) or 0

    return math.max(n, lines)
end


function scan.report(s, list)
    if #list == 0 then
        return
    end

    local h = call('HMGET', s.hash, 'lines', 'lines_lost', 'lines_bytes')
    local n = scan.line_last(s, tonumber(h[1] or 0))
    local lost, bytes = tonumber(h[2] or 0), tonumber(h[3] or 0)
    local kept = call('XLEN', s.differences)

    for _, d in ipairs(list) do
        local size = scan.line_bytes(d.key, d.evidence)

        n = n + 1

        if scan.lines_fit(kept + 1, bytes + size) then
            call('XADD', s.differences, digits(n) .. '-0', 'k', d.key, 'w',
                 d.what, 'e', d.evidence)
            kept, bytes = kept + 1, bytes + size
        else
            lost = lost + 1
        end
    end

    call('HSET', s.hash, 'lines', digits(n), 'lines_lost', digits(lost),
         'lines_bytes', digits(bytes))
end


-- Whether a page with these differences is taken now.
function scan.report_has_room(s, list)
    local h = call('HMGET', s.hash, 'report', 'lines_bytes',
                   'report_full_ms')
    local kept = call('XLEN', s.differences)
    local bytes = tonumber(h[2] or 0)

    if h[1] ~= '1' or #list == 0 or kept == 0 then
        return true
    end

    for _, d in ipairs(list) do
        bytes = bytes + scan.line_bytes(d.key, d.evidence)
    end

    if scan.lines_fit(kept + #list, bytes) then
        return true
    elseif not h[3] then
        call('HSET', s.hash, 'report_full_ms', digits(clock.ms))
    elseif clock.ms - tonumber(h[3]) >= scan.PATIENCE_MS then
        call('HSET', s.hash, 'report', '0')
        return true
    end

    return false
end


-- No worker need compare a page that would wait.
function scan.report_is_full(s)
    local h = call('HMGET', s.hash, 'report', 'report_full_ms')

    return h[1] == '1' and h[2]
           and clock.ms - tonumber(h[2]) < scan.PATIENCE_MS
end


function scan.differences_read(a)
    a.after = args_integer(a, 'after', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, scan.LINES_MAX)
end


-- One line.  The evidence is members of a JSON object already, or none.
function scan.line_json(entry)
    local n, values = entry[1]:match('^%d+'), entry[2]
    local row = json_key_fields(values[2])
    local fields = { 'n', n, unpack(row) }

    fields[#fields + 1] = 'what'
    fields[#fields + 1] = json_string(scan.WHAT[tonumber(values[4])])

    return json_object(fields):sub(1, -2)
           .. (values[6] ~= '' and ',' .. values[6] or '') .. '}'
end


-- The lines behind number `after` that are still here.
function scan.differences(r, a)
    local s = scan.open(r)
    local h = call('HMGET', s.hash, 'id', 'state', 'lines', 'lines_lost')
    local rows, bytes = {}, 0

    for _, entry in ipairs(call('XRANGE', s.differences,
                                digits(a.after + 1) .. '-0', '+', 'COUNT',
                                a.count))
    do
        rows[#rows + 1] = scan.line_json(entry)
        bytes = bytes + #rows[#rows]
        if bytes >= scan.READ_BYTES then
            break
        end
    end

    return json_object({
        'id', h[1] or '0', 'state', json_string(h[2] or ''),
        'found', h[3] or '0', 'lost', h[4] or '0',
        'differences', json_array(rows) })
end


function scan.reported_read(a)
    a.id = args_token(a)
    a.last = args_integer(a, 'last', 0, MS_MAX)
end


-- A reader has those lines up to number `last`: 1, or 0: of another scan.
function scan.reported(r, a)
    local s = scan.open(r)
    local h = call('HMGET', s.hash, 'id', 'lines_bytes')
    local bytes = tonumber(h[2] or 0)

    if h[1] ~= a.id then
        return 0
    end

    for _, entry in ipairs(call('XRANGE', s.differences, '-',
                                digits(a.last) .. '-0'))
    do
        bytes = bytes - scan.line_bytes(entry[2][2], entry[2][6])
    end

    call('XTRIM', s.differences, 'MINID', digits(a.last + 1) .. '-0')
    call('HSET', s.hash, 'lines_bytes', digits(math.max(0, bytes)))

    if call('HDEL', s.hash, 'report_full_ms') == 1 then
        scan.kick(r)
        call('PUBLISH', WAKE, r.name)
    end

    return 1
end


register({
    { name = 'scan_differences', keys = 'one', flags = READS,
      read = scan.differences_read, run = scan.differences },
    { name = 'scan_reported', keys = 'change', flags = DRAINS,
      read = scan.reported_read, run = scan.reported },
})

end scan_report_library() end
