----------------------------------------------------------------------------
-- What was changed and by whom, the newest first, as the dynamic policy has
-- written it.
----------------------------------------------------------------------------

do local function audit_library()

local function log_read(a)
    a.offset = args_integer(a, 'offset', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)
end


local function log(keys, a)
    return json_object({
        'total', digits(call('LLEN', keys[1])),
        'entries', json_array(call('LRANGE', keys[1], digits(a.offset),
                                   digits(a.offset + a.count - 1))),
    })
end


KEYS_OF.audit = { 1, 1, 'chorus:audit' }

register({
    { name = 'audit', keys = 'audit', flags = READS, read = log_read,
      run = log },
})

end audit_library() end
