----------------------------------------------------------------------------
-- Who runs which policy: proxies and workers say so once a second.
--
--     chorus:policy:readers  hash   reader -> "kind version oldest seen rules
--                                   error"; "rules" -> what all say, or
--                                   "mixed"; "proxy" -> what the last new
--                                   proxy said
--     chorus:policy:alive    zset   reader -> when it is taken for dead
--
-- `rules` is the digest of the rules in a reader's chorus.json.
----------------------------------------------------------------------------

do local function policy_readers_library()

local READER_MAX = 128
local READER_LIFE = 5000        -- ms from one poll to the next, at most
local READERS_A_POLL = 16       -- dead ones that a poll clears away
local ERROR_MAX = 256
local RULES_LEN_MAX = 64

local RULES_FIELD = 'rules'     -- readers are called host:pid
local PROXY_FIELD = 'proxy'
local RULES_MIXED = 'mixed'


local function poll_read(a)
    a.reader = args_string(a, 'reader', 1, READER_MAX)
    a.kind = args_one_of(a, 'kind', { 'proxy', 'worker' })
    a.version = args_integer(a, 'version', 0, MS_MAX)
    a.oldest = args_integer(a, 'oldest', 0, MS_MAX)
    a.written = args_integer(a, 'written', -1, MS_MAX)
    a.leaves = args_integer(a, 'leaves', 0, 1)
    a.rules = args_string(a, 'rules', 1, RULES_LEN_MAX)
    if a.rules and a.rules:find('%W') then
        args_reject(a, 'rules', 'must be letters and digits', a.rules)
    end
    a.trouble = args_string(a, 'error', 0, ERROR_MAX)
end


local function reader_read(record)
    local kind, version, oldest, seen, rules, trouble =
        (record or ''):match('^(%l+) (%d+) (%d+) (%d+) (%S+) (.*)$')

    return kind and { kind = kind, version = version, oldest = oldest,
                      seen = seen, rules = rules, trouble = trouble }
end


-- Whether all have the same rules in their chorus.json is asked for with each
-- claim, and changes seldom.  While no proxy lives, what the last one marked
-- was marked under its rules.
local function readers_agree(keys)
    local rules, proxies

    for _, name in ipairs(call('ZRANGE', keys[3], '-inf', '+inf',
                               'BYSCORE')) do
        local reader = reader_read(call('HGET', keys[2], name))

        if reader then
            rules = (not rules or rules == reader.rules) and reader.rules
                    or RULES_MIXED
            proxies = proxies or reader.kind == 'proxy'
        end
    end

    local last = not proxies and call('HGET', keys[2], PROXY_FIELD)

    if rules and last and last ~= rules then
        rules = RULES_MIXED
    end

    if rules then
        call('HSET', keys[2], RULES_FIELD, rules)
    else
        call('HDEL', keys[2], RULES_FIELD)
    end
end


-- A proxy that did not say goodbye had requests under what it ran last.
local function readers_expire(keys)
    local dead = call('ZRANGE', keys[3], '-inf', digits(clock.ms), 'BYSCORE',
                      'LIMIT', 0, READERS_A_POLL)

    for _, name in ipairs(dead) do
        local reader = reader_read(call('HGET', keys[2], name))

        if reader and reader.kind == 'proxy' then
            policy_rules.owed_since(
                       keys[1], keys[4],
                       math.min(tonumber(reader.version),
                                tonumber(reader.oldest)),
                       'a proxy is gone')
        end

        call('HDEL', keys[2], name)
        call('ZREM', keys[3], name)
    end

    return #dead > 0
end


-- The document, or nil when the reader has it.
local function poll(keys, a)
    local before = reader_read(call('HGET', keys[2], a.reader))
    local is_new = readers_expire(keys) or a.leaves == 1 or not before
                   or before.rules ~= a.rules

    if a.kind == 'proxy' and a.written >= 0 then
        policy_rules.owed_since(keys[1], keys[4], a.written,
                                'written before it was known')
    end

    if a.leaves == 1 then
        call('HDEL', keys[2], a.reader)
        call('ZREM', keys[3], a.reader)
    else
        call('HSET', keys[2], a.reader, table.concat({
            a.kind, digits(a.version), digits(a.oldest), digits(clock.ms),
            a.rules, a.trouble }, ' '))
        call('ZADD', keys[3], digits(clock.ms + READER_LIFE), a.reader)
    end

    if is_new then
        if a.kind == 'proxy' then
            call('HSET', keys[2], PROXY_FIELD, a.rules)
        end
        readers_agree(keys)
    end

    if policy_rules.version(keys[1]) == digits(a.version) then
        return false
    end

    return policy_rules.document(keys[1])
end


local function readers(keys)
    local alive = call('ZRANGE', keys[3], digits(clock.ms), '+inf',
                       'BYSCORE')
    local version, behind, rows = policy_rules.version(keys[1]), 0, {}

    for _, name in ipairs(alive) do
        local reader = reader_read(call('HGET', keys[2], name))

        if reader then
            behind = behind + (reader.version == version and 0 or 1)
            rows[#rows + 1] = json_object({
                'reader', json_string(name), 'kind',
                json_string(reader.kind), 'version', reader.version,
                'age_ms', digits(age_of(tonumber(reader.seen))),
                'rules', json_string(reader.rules),
                'error', reader.trouble ~= '' and json_string(reader.trouble)
                         or 'null',
            })
        end
    end

    return json_object({ 'version', version, 'behind', digits(behind),
                         'rules', json_string(call('HGET', keys[2],
                                                   RULES_FIELD) or ''),
                         'readers', json_array(rows) })
end


-- { version, rules of all or "mixed" or "" }
local function now(keys)
    return { policy_rules.version(keys[1]),
             call('HGET', keys[2], RULES_FIELD) or '' }
end


KEYS_OF.policy_readers = { 4, 4, 'chorus:policy chorus:policy:readers '
                           .. 'chorus:policy:alive chorus:policy:owed' }

register({
    { name = 'policy_poll', keys = 'policy_readers', flags = DRAINS,
      read = poll_read, run = poll },
    { name = 'policy_now', keys = 'policy_readers', flags = READS,
      run = now },
    { name = 'policy_readers', keys = 'policy_readers', flags = READS,
      run = readers },
})

end policy_readers_library() end
