----------------------------------------------------------------------------
-- The dynamic policy: what people set at run time.
--
--     chorus:policy          hash   version, origin, "kind:id" -> record
--     chorus:policy:owed     hash   id -> the scan a replication rule owes
--     chorus:audit           list   what was changed; chorus_audit.lua reads it
--
-- This file is joined to chorus.lua when the programs are built, and uses what
-- is local there; being a function of its own, it has room for more locals.
--
-- A record is "since version paused migrate text": `since` is the version from
-- which on the rule says what it says (a pause does not change that), text is
-- the rule as JSON that the API has looked at.
--
-- Versions come from the clock, so that none ever names two policies, even
-- when Redis lost its last second.  `origin` is the version of the first
-- change: a policy with another origin is not ours.
----------------------------------------------------------------------------

-- what chorus_policy_*.lua need of it
local policy_rules = {}

do local function policy_library()

local KINDS = { 'replication', 'route', 'block', 'pause' }
local RULES_MAX = 1000
local BYTES_MAX = 1048576       -- of all records
local TEXT_MAX = 8192
local ID_MAX = 64
local WHO_MAX = 64
local SETTLED = 5000            -- ms in which a new rule reaches everybody
local AUDIT_MAX = 1000
local AUDIT_TEXT_MAX = 1024

local MATCH_NONE = '0'          -- If-None-Match: *
local MATCH_ANY = '*'


local function flag(text)
    return text == '1' and 'true' or 'false'
end


-- { field, kind, id, since, version, paused, migrate, text }, or nil
local function record_read(field, record)
    if not record then
        return nil
    end

    local kind, id = field:match('^(%l+):(.*)$')
    local since, version, paused, migrate, text =
        record:match('^(%d+) (%d+) ([01]) ([01]) (.*)$')

    return since and kind and {
        field = field, kind = kind, id = id, since = since,
        version = version, paused = paused, migrate = migrate, text = text,
    }
end


local function record_text(rule)
    return table.concat({ rule.since, rule.version, rule.paused,
                          rule.migrate, rule.text }, ' ')
end


local function version_of(policy)
    return call('HGET', policy, 'version') or '0'
end


-- All rules, or those of a kind, the oldest first.
local function rules_of(policy, kind)
    local all, rules = call('HGETALL', policy), {}

    for i = 1, #all, 2 do
        local rule = record_read(all[i], all[i + 1])
        if rule and (not kind or rule.kind == kind) then
            rules[#rules + 1] = rule
        end
    end

    table.sort(rules, function(a, b)
        local x, y = tonumber(a.since), tonumber(b.since)
        return x < y or (x == y and a.field < b.field)
    end)

    return rules
end


-- `text` stays a text for programs, which give it back as it was.
local function rule_json(rule, is_text)
    return json_object({
        'id', json_string(rule.id), 'kind', json_string(rule.kind),
        'since', rule.since, 'version', rule.version,
        'paused', flag(rule.paused), 'migrate', flag(rule.migrate),
        'rule', is_text and json_string(rule.text) or rule.text,
        guard.field(rule, is_text)
    })
end


local function document(policy)
    local h = call('HMGET', policy, 'version', 'origin')
    local texts = {}

    for i, rule in ipairs(rules_of(policy)) do
        texts[i] = rule_json(rule, true)
    end

    return json_object({ 'version', h[1] or '0', 'origin', h[2] or '0',
                         'rules', json_array(texts) })
end


----------------------------------------------------------------------------
-- Debts of rules: somebody wrote who did not know the rule.  A worker makes
-- debts of replications of them, as only it can tell which buckets there are.
----------------------------------------------------------------------------

-- "debt since lease_until reason"
local function owed_read(record)
    local id, since, lease, reason =
        (record or ''):match('^(%d+) (%d+) (%d+) (.*)$')

    return id and { id = id, since = since, lease = lease, reason = reason }
end


local function owed_add(owed, id, reason)
    local old = owed_read(call('HGET', owed, id))

    call('HSET', owed, id, table.concat({
        digits(math.max(clock.us, old and tonumber(old.id) + 1 or 0)),
        old and old.since or digits(clock.ms), '0', reason }, ' '))
end


-- Writes were let through under the version `under`, and rules that are newer
-- did not see them.  Without a migration what was written before everybody
-- could know the rule is not asked for.
local function owed_since(policy, owed, under, reason)
    if under >= tonumber(version_of(policy)) then
        return
    end

    for _, rule in ipairs(rules_of(policy, 'replication')) do
        local since = tonumber(rule.since)

        if since > under and (rule.migrate == '1'
                              or clock.ms - since / 1000 > SETTLED)
        then
            owed_add(owed, rule.id, reason)
        end
    end
end


----------------------------------------------------------------------------
-- Changes
----------------------------------------------------------------------------

local function args_kind(a)
    return args_one_of(a, 'kind', KINDS)
end


local function args_id(a)
    local value = a.argv[a.next] or ''

    if a.argv[a.next] and (value:find('[^A-Za-z0-9._-]') or value == '.'
                           or value == '..')
    then
        args_reject(a, 'id', 'must consist of letters, digits, "-", "_" and '
                    .. '"."', value)
    end

    return args_string(a, 'id', 1, ID_MAX)
end


-- "" for none, "*" it exists, "0" it does not, or its version
local function args_match(a)
    local value = a.argv[a.next] or ''

    if value ~= '' and value ~= MATCH_ANY and not value:find('^%d+$') then
        args_reject(a, 'match', 'must be a version, "*" or empty', value)
    end

    return args_string(a, 'match', 0, 20)
end


local function change_read(a)
    a.kind = args_kind(a)
    a.id = args_id(a)
    a.match = args_match(a)
    a.who = args_string(a, 'who', 1, WHO_MAX)
end


local function set_read(a)
    change_read(a)
    a.migrate = args_integer(a, 'migrate', 0, 1)
    a.text = args_string(a, 'rule', 2, TEXT_MAX)
end


local function pause_read(a)
    change_read(a)
    a.paused = args_integer(a, 'paused', 0, 1)
end


local function match_ok(match, old)
    if match == '' then
        return true
    elseif match == MATCH_ANY then
        return old ~= nil
    elseif match == MATCH_NONE then
        return old == nil
    end

    return old ~= nil and old.version == match
end


local function refused(why, old)
    return json_object({ 'refused', json_string(why),
                         'current', old and old.version or 'null' })
end


local function answer(policy, rule, changed, created)
    return json_object({ 'version', version_of(policy),
                         'changed', changed and 'true' or 'false',
                         'created', created and 'true' or 'false',
                         'rule', rule and rule_json(rule) or 'null' })
end


local function audit_text(rule)
    if not rule then
        return 'null'
    end

    return #rule.text <= AUDIT_TEXT_MAX and rule_json(rule)
           or json_string(rule.text:sub(1, AUDIT_TEXT_MAX))
end


local function audit(log, a, action, version, before, after)
    call('LPUSH', log, json_object({
        'at_ms', digits(clock.ms), 'who', json_string(a.who),
        'action', json_string(action), 'kind', json_string(a.kind),
        'id', json_string(a.id), 'version', version,
        'before', audit_text(before), 'after', audit_text(after),
    }))
    call('LTRIM', log, 0, AUDIT_MAX - 1)
    call('PUBLISH', WAKE, 'policy')
end


local function next_version(policy)
    return digits(math.max(tonumber(version_of(policy)) + 1, clock.us))
end


-- One command, so that half of it is never found.
local function rule_write(policy, rule, version)
    local origin = call('HGET', policy, 'origin') or version

    call('HSET', policy, rule.field, record_text(rule), 'version', version,
         'origin', origin)
end


local function is_full(policy, text, old)
    local all = call('HGETALL', policy)
    local bytes = #text - (old and #old.text or 0)
    local rules = #all / 2 - (old and 1 or 0)

    for i = 2, #all, 2 do
        bytes = bytes + #all[i]
    end

    return rules >= RULES_MAX + 2 or bytes > BYTES_MAX
end


local function rule_of(policy, a)
    local field = a.kind .. ':' .. a.id

    return record_read(field, call('HGET', policy, field)), field
end


local function set(keys, a)
    local policy = keys[1]
    local old, field = rule_of(policy, a)
    local migrate = tostring(a.migrate)

    -- what is there already is no conflict: a create may be repeated
    if old and old.text == a.text and old.migrate == migrate
       and (a.match == MATCH_NONE or match_ok(a.match, old))
    then
        return answer(policy, old, false, false)
    end

    if not match_ok(a.match, old) then
        return refused('precondition', old)
    end

    if is_full(policy, a.text, old) then
        return refused('full', old)
    end

    local version = next_version(policy)
    local rule = { field = field, kind = a.kind, id = a.id, since = version,
                   version = version, paused = old and old.paused or '0',
                   migrate = migrate, text = a.text }

    rule_write(policy, rule, version)
    audit(keys[2], a, old and 'replace' or 'create', version, old, rule)

    if a.kind == 'replication' and a.migrate == 1 then
        owed_add(keys[3], a.id, 'migration')
    end

    return answer(policy, rule, true, not old)
end


local function delete(keys, a)
    local policy = keys[1]
    local old, field = rule_of(policy, a)

    if not match_ok(a.match, old) then
        return refused('precondition', old)
    end

    if not old then
        return refused('missing')
    end

    local version = next_version(policy)

    -- the version first: without it nobody would notice what is gone
    call('HSET', policy, 'version', version)
    call('HDEL', policy, field)

    if a.kind == 'replication' then
        call('HDEL', keys[3], a.id)
    end

    audit(keys[2], a, 'delete', version, old, nil)

    return answer(policy, nil, true, false)
end


local function pause_rule(keys, a)
    local policy = keys[1]
    local old, field = rule_of(policy, a)
    local paused = tostring(a.paused)

    if not match_ok(a.match, old) then
        return refused('precondition', old)
    end

    if not old then
        return refused('missing')
    end

    if old.paused == paused then
        return answer(policy, old, false, false)
    end

    local version = next_version(policy)
    local rule = record_read(field, record_text(old))

    rule.paused, rule.version = paused, version

    rule_write(policy, rule, version)
    audit(keys[2], a, a.paused == 1 and 'pause' or 'resume', version, old,
          rule)

    return answer(policy, rule, true, false)
end


-- From a reader that remembers more than Redis does: its document.
local function restore_read(a)
    a.text = args_string(a, 'document', 2, 4 * BYTES_MAX)
end


local function restored_rule(rule)
    if type(rule) ~= 'table' or type(rule.id) ~= 'string'
       or type(rule.kind) ~= 'string' or type(rule.rule) ~= 'string'
       or type(rule.since) ~= 'number' or type(rule.version) ~= 'number'
    then
        return nil
    end

    return { field = rule.kind .. ':' .. rule.id, since = digits(rule.since),
             version = digits(rule.version),
             paused = rule.paused == true and '1' or '0',
             migrate = rule.migrate == true and '1' or '0',
             text = rule.rule }
end


local function restore(keys, a)
    local good, doc = pcall(cjson.decode, a.text)

    if not good or type(doc) ~= 'table' or type(doc.version) ~= 'number'
       or type(doc.origin) ~= 'number' or type(doc.rules) ~= 'table'
    then
        return 0
    end

    local h = call('HMGET', keys[1], 'version', 'origin')

    if h[1] and (h[2] ~= digits(doc.origin)
                 or tonumber(h[1]) >= doc.version)
    then
        return 0
    end

    local fields = { 'version', digits(doc.version),
                     'origin', digits(doc.origin) }

    for _, given in ipairs(doc.rules) do
        local rule = restored_rule(given)
        if not rule then
            return 0
        end
        fields[#fields + 1] = rule.field
        fields[#fields + 1] = record_text(rule)
    end

    if #fields > 2 * (RULES_MAX + 2) then
        return 0
    end

    call('DEL', keys[1])
    call('HSET', keys[1], unpack(fields))

    -- what Redis has forgotten beside: marks, and what the rules owed
    for _, rule in ipairs(rules_of(keys[1], 'replication')) do
        if not h[1] or tonumber(rule.since) > tonumber(h[1]) then
            owed_add(keys[3], rule.id, 'Redis forgot')
        end
    end

    audit(keys[2], { who = 'chorus', kind = '', id = '' }, 'restore',
          digits(doc.version))

    return 1
end


----------------------------------------------------------------------------
-- What workers do with it
----------------------------------------------------------------------------

local function take_read(a)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LEASE_MAX)
end


-- A debt that nobody else is at: { rule, debt, age_ms, reason } or nil.
local function take(keys, a)
    local all = call('HGETALL', keys[1])

    for i = 1, #all, 2 do
        local debt = owed_read(all[i + 1])

        if debt and tonumber(debt.lease) <= clock.ms then
            call('HSET', keys[1], all[i], table.concat({
                debt.id, debt.since, digits(clock.ms + a.lease_ms),
                debt.reason }, ' '))
            return { all[i], debt.id, digits(age_of(tonumber(debt.since))),
                     debt.reason }
        end
    end

    return false
end


local function settled_read(a)
    a.id = args_id(a)
    a.debt = args_token(a)
end


local function settled(keys, a)
    local debt = owed_read(call('HGET', keys[1], a.id))

    if not debt or debt.id ~= a.debt then
        return 0
    end

    return call('HDEL', keys[1], a.id)
end


policy_rules.kind, policy_rules.id = args_kind, args_id
policy_rules.all, policy_rules.one = rules_of, rule_of
policy_rules.json, policy_rules.version = rule_json, version_of
policy_rules.TEXT_MAX = TEXT_MAX
policy_rules.document, policy_rules.owed_since = document, owed_since

KEYS_OF.policy_change = { 3, 3,
    'chorus:policy chorus:audit chorus:policy:owed' }
KEYS_OF.policy_owed = { 1, 1, 'chorus:policy:owed' }

register({
    { name = 'policy_set', keys = 'policy_change', flags = WRITES,
      read = set_read, run = set },
    { name = 'policy_delete', keys = 'policy_change', flags = DRAINS,
      read = change_read, run = delete },
    { name = 'policy_pause', keys = 'policy_change', flags = DRAINS,
      read = pause_read, run = pause_rule },
    { name = 'policy_restore', keys = 'policy_change', flags = DRAINS,
      read = restore_read, run = restore },
    { name = 'policy_take', keys = 'policy_owed', flags = DRAINS,
      read = take_read, run = take },
    { name = 'policy_settled', keys = 'policy_owed', flags = DRAINS,
      read = settled_read, run = settled },
})

end policy_library() end
