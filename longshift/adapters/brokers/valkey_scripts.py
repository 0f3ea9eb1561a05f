"""What happens on a Valkey or Redis server in one piece (Lua). When to do it is `valkey`'s business.

Keys are always the stream, its sorted set of messages put off (id → due time in ms) and its stream of dead letters.
An entry that was put off stays pending in the group, so that a lost sorted set delays nothing for ever. Copies are
written before originals are given up: a server without memory refuses the copy, and the script ends there.
"""

TAKE = """
local stream, later = KEYS[1], KEYS[2]
local group, consumer, idle_ms, count, cursor = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local ids = redis.call('ZRANGEBYSCORE', later, '-inf', now, 'LIMIT', 0, count)
local page = redis.call('XPENDING', stream, group, 'IDLE', idle_ms, cursor, '+', 100)
local at = 1
while at <= #page and #ids < count do
    if not redis.call('ZSCORE', later, page[at][1]) then ids[#ids + 1] = page[at][1] end
    cursor = '(' .. page[at][1]
    at = at + 1
end
if at > #page and #page < 100 then cursor = '-' end

local taken = {}
for _, id in ipairs(ids) do
    redis.call('ZREM', later, id)
    local claimed = redis.call('XCLAIM', stream, group, consumer, 0, id)
    if claimed[1] then
        local pending = redis.call('XPENDING', stream, group, id, id, 1)
        taken[#taken + 1] = {id, claimed[1][2], pending[1][4]}
    else
        redis.call('XACK', stream, group, id)
    end
end
return {cursor, taken}
"""
"""Group, consumer, least idle ms, count, cursor → the next cursor, and [id, fields, times delivered] of those that are
due after `retry` or whose consumer is dead. Entries that were deleted in the stream are dropped from the group."""

ACK = """
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
"""
"""Group, id."""

RETRY = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 1 then
    local time = redis.call('TIME')
    redis.call('ZADD', KEYS[2], time[1] * 1000 + math.ceil(time[2] / 1000) + ARGV[3], ARGV[2])
end
"""
"""Group, id, delay in ms. What is no longer pending was settled by another."""

BURY = """
if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 1 then
    redis.call('XADD', KEYS[3], '*', unpack(ARGV, 3))
    redis.call('ZREM', KEYS[2], ARGV[2])
    redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
    redis.call('XDEL', KEYS[1], ARGV[2])
end
"""
"""Group, id, then the dead letter's fields and values. What is no longer pending was settled by another."""

REQUEUE = """
local entry = redis.call('XRANGE', KEYS[3], ARGV[1], ARGV[1])[1]
if not entry then return 0 end
local notes = {}
for at = 2, #ARGV do notes[ARGV[at]] = true end
local fields = {}
for at = 1, #entry[2], 2 do
    if not notes[entry[2][at]] then
        fields[#fields + 1] = entry[2][at]
        fields[#fields + 1] = entry[2][at + 1]
    end
end
if #fields == 0 then return 0 end
redis.call('XADD', KEYS[1], '*', unpack(fields))
redis.call('XDEL', KEYS[3], ARGV[1])
return 1
"""
"""Id of a dead letter, then the names of the fields that are notes → how many were put back."""
