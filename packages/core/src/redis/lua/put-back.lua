-- Puts a job back that was taken out, unless its id is in use again.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:dead, KEYS[3] -> arq:in-progress:<id>, KEYS[4] -> arq:job:<id>, KEYS[5] -> arq:retry:<id>,
-- KEYS[6] -> arq:result:<id>, KEYS[7] -> arq:dead:<id>
-- ARGV[1] -> id, ARGV[2] -> wake channel, ARGV[3] -> score or '', ARGV[4] -> payload or '', ARGV[5] -> its ms,
-- ARGV[6] -> tries or '', ARGV[7] -> lifetime of the tries in ms, ARGV[8] -> result or '', ARGV[9] -> its ms,
-- ARGV[10] -> dead score or '', ARGV[11] -> letter's ms, ARGV[12..] -> fields and values of the letter
-- Output: { 1 } (put back) or { 0 } (the id is in use)
local id = ARGV[1]
local dead_score = redis.call('ZSCORE', KEYS[2], id)
if redis.call('ZSCORE', KEYS[1], id) or dead_score then return { 0 } end
local holder = redis.pcall('GET', KEYS[3])
if holder and holder ~= 'ended' then return { 0 } end
if redis.call('EXISTS', KEYS[4]) + redis.call('EXISTS', KEYS[6]) > 0 then return { 0 } end
local function set(key, value, ms)
  if value == '' then return end
  redis.call('SET', key, value)
  if tonumber(ms) > 0 then redis.call('PEXPIRE', key, ms) end
end
set(KEYS[4], ARGV[4], ARGV[5])
set(KEYS[5], ARGV[6], ARGV[7])
set(KEYS[6], ARGV[8], ARGV[9])
if #ARGV > 11 then
  redis.call('DEL', KEYS[7])
  for i = 12, #ARGV, 2 do redis.call('HSET', KEYS[7], ARGV[i], ARGV[i + 1]) end
  if tonumber(ARGV[11]) > 0 then redis.call('PEXPIRE', KEYS[7], ARGV[11]) end
end
if ARGV[10] ~= '' then redis.call('ZADD', KEYS[2], ARGV[10], id) end
if ARGV[3] ~= '' then
  redis.call('ZADD', KEYS[1], ARGV[3], id)
  redis.pcall('PUBLISH', ARGV[2], '0')
end
return { 1 }
