----------------------------------------------------------------------------
-- The rules of the dynamic policy, to look at.
----------------------------------------------------------------------------

do local function policy_list_library()

local function list_read(a)
    a.kind = policy_rules.kind(a)
    a.offset = args_integer(a, 'offset', 0, MS_MAX)
    a.count = args_integer(a, 'count', 1, BATCH_MAX)
    a.user = args_string(a, 'user', 0, policy_rules.TEXT_MAX)
    a.bucket = args_string(a, 'bucket', 0, policy_rules.TEXT_MAX)
    a.follower, a.state = '', ''

    if args_more(a) then
        a.follower = args_string(a, 'follower', 0, policy_rules.TEXT_MAX)
        a.state = args_one_of(a, 'state', { '', 'active', 'paused' })
    end
end


-- "to" names followers, each with or without ":bucket".
local function leads_to(said, follower)
    local all = type(said.to) == 'table' and said.to or { said.to }

    for _, to in ipairs(all) do
        if to == follower
           or tostring(to):sub(1, #follower + 1) == follower .. ':'
        then
            return true
        end
    end

    return false
end


-- Rules that say just this user, this bucket or pattern, this follower; ""
-- for any.
local function rules_saying(rules, a)
    local found = {}

    for _, rule in ipairs(rules) do
        local good, said = pcall(cjson.decode, rule.text)

        if good and type(said) == 'table'
           and (a.user == '' or said.user == a.user)
           and (a.bucket == '' or said.bucket == a.bucket)
           and (a.follower == '' or leads_to(said, a.follower))
           and (a.state == '' or (a.state == 'paused') == (rule.paused == '1'))
        then
            found[#found + 1] = rule
        end
    end

    return found
end


local function list(keys, a)
    local all = policy_rules.all(keys[1], a.kind)
    local page = {}

    if a.user .. a.bucket .. a.follower .. a.state ~= '' then
        all = rules_saying(all, a)
    end

    for i = a.offset + 1, math.min(#all, a.offset + a.count) do
        page[#page + 1] = policy_rules.json(all[i])
    end

    return json_object({ 'version', policy_rules.version(keys[1]),
                         'total', digits(#all), 'rules', json_array(page) })
end


local function show_read(a)
    a.kind = policy_rules.kind(a)
    a.id = policy_rules.id(a)
end


-- nil without one
local function show(keys, a)
    local rule = policy_rules.one(keys[1], a)
    return rule and policy_rules.json(rule) or false
end


KEYS_OF.policy = { 1, 1, 'chorus:policy' }

register({
    { name = 'policy_list', keys = 'policy', flags = READS, read = list_read,
      run = list },
    { name = 'policy_show', keys = 'policy', flags = READS, read = show_read,
      run = show },
})

end policy_list_library() end
