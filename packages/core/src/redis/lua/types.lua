-- Says of which type each key is. Nothing is written.
--
-- KEYS[1..] -> any keys
-- Output: for each the name of its type, 'none' where there is no such key
local out = {}
for k, key in ipairs(KEYS) do out[k] = redis.call('TYPE', key).ok end
return out
