----------------------------------------------------------------------------
-- Asks: questions of the API that only a worker can answer, because they need
-- a storage.
--
--     chorus:asks     hash   id -> "deadline lease_until question"
--     chorus:answers  hash   id -> what a worker answered
--
-- An id is a time in microseconds, so it tells how old an answer is.  Both are
-- small, and gone a minute after the last question: who asked has given up by
-- then.
----------------------------------------------------------------------------

do local function ask_library()

local ASKS_MAX = 64
local LIFE_MAX = 60000          -- ms until nobody waits any more
local QUESTION_MAX = 65536
local ANSWER_MAX = 262144


local function ask_read(record)
    local deadline, lease, question =
        (record or ''):match('^(%d+) (%d+) (.*)$')

    return deadline and { deadline = tonumber(deadline),
                          lease = tonumber(lease), question = question }
end


local function ask_write(asks, id, ask)
    call('HSET', asks, id, digits(ask.deadline) .. ' ' .. digits(ask.lease)
                           .. ' ' .. ask.question)
end


-- What nobody waits for; the first answers when there are too many.
local function asks_expire(asks, answers)
    local all = call('HGETALL', asks)

    for i = 1, #all, 2 do
        local ask = ask_read(all[i + 1])
        if not ask or ask.deadline <= clock.ms then
            call('HDEL', asks, all[i])
        end
    end

    local ids = call('HKEYS', answers)
    table.sort(ids)

    for i, id in ipairs(ids) do
        if #ids - i >= ASKS_MAX - 1
           or tonumber(id) / 1000 + LIFE_MAX <= clock.ms
        then
            call('HDEL', answers, id)
        end
    end
end


local function new_id(asks, answers)
    local us = clock.us

    while call('HEXISTS', asks, digits(us)) == 1
          or call('HEXISTS', answers, digits(us)) == 1
    do
        us = us + 1
    end

    return digits(us)
end


local function ask_args(a)
    a.life_ms = args_integer(a, 'life_ms', 1, LIFE_MAX)
    a.question = args_string(a, 'question', 1, QUESTION_MAX)
end


-- The id, or "" when too many are open.
local function ask(keys, a)
    asks_expire(keys[1], keys[2])

    if call('HLEN', keys[1]) >= ASKS_MAX then
        return ''
    end

    local id = new_id(keys[1], keys[2])

    ask_write(keys[1], id, { deadline = clock.ms + a.life_ms, lease = 0,
                             question = a.question })
    call('PEXPIRE', keys[1], LIFE_MAX)
    call('PUBLISH', WAKE, '')

    return id
end


local function take_args(a)
    a.lease_ms = args_integer(a, 'lease_ms', 1, LIFE_MAX)
end


-- The oldest that nobody is at: { id, ms until nobody waits, question }, or
-- nil.  Whoever takes it and dies keeps it for half of its time at most.
local function take(keys, a)
    local ids = call('HKEYS', keys[1])
    table.sort(ids)

    for _, id in ipairs(ids) do
        local one = ask_read(call('HGET', keys[1], id))

        if one and one.deadline > clock.ms and one.lease <= clock.ms then
            local left = one.deadline - clock.ms

            one.lease = clock.ms + math.min(a.lease_ms, math.ceil(left / 2))
            ask_write(keys[1], id, one)

            return { id, digits(left), one.question }
        end
    end

    return false
end


local function id_args(a)
    a.id = args_token(a)
end


local function answer_args(a)
    id_args(a)
    a.text = args_string(a, 'answer', 1, ANSWER_MAX)
end


-- 1, or 0: somebody else has answered it, or nobody waits any more.
local function answer(keys, a)
    local one = ask_read(call('HGET', keys[1], a.id))

    if not one or one.deadline <= clock.ms then
        return 0
    end

    call('HSET', keys[2], a.id, a.text)
    call('PEXPIRE', keys[2], LIFE_MAX)
    call('HDEL', keys[1], a.id)

    return 1
end


-- "=" and the answer, which is gone then; "taken" or "waits"; nil.
local function hear(keys, a)
    local text = call('HGET', keys[2], a.id)

    if text then
        call('HDEL', keys[2], a.id)
        return '=' .. text
    end

    local one = ask_read(call('HGET', keys[1], a.id))

    return one and (one.lease > 0 and 'taken' or 'waits') or false
end


-- Nobody waits any more.
local function give_up(keys, a)
    return call('HDEL', keys[1], a.id) + call('HDEL', keys[2], a.id)
end


KEYS_OF.asks = { 1, 1, 'chorus:asks' }
KEYS_OF.ask = { 2, 2, 'chorus:asks chorus:answers' }

register({
    { name = 'ask', keys = 'ask', flags = WRITES, read = ask_args,
      run = ask },
    { name = 'ask_take', keys = 'asks', flags = DRAINS, read = take_args,
      run = take },
    { name = 'ask_answer', keys = 'ask', flags = DRAINS, read = answer_args,
      run = answer },
    { name = 'ask_hear', keys = 'ask', flags = DRAINS, read = id_args,
      run = hear },
    { name = 'ask_give_up', keys = 'ask', flags = DRAINS, read = id_args,
      run = give_up },
})

end ask_library() end
