/**
 * Counts one request, in the Python application's keys and in ours. `canary_router.py` has the same script.
 *
 * The histogram is a string of unsigned 32-bit counters: requests, errors, shadow requests, the longest latency in units
 * of 0.01 ms, the sum of latencies in microseconds (64 bits), requests with numbers, one unused, then one for each bucket of
 * `latency.ts`.
 * `values` has a field `<minute>:<name>` with count, sum, sum of squares, smallest and largest, separated by spaces.
 *
 * KEYS: Python's list of latencies, count and errors of the minute; histogram of the minute; values of the hour.
 * ARGV: latency in ms, '1' for an error, '1' for shadow traffic, seconds to keep, latencies to keep in the list, minute,
 *   then name and value of each number; one that is not finite is not counted.
 * Output: nothing. A latency that cannot be counted is refused before anything is written.
 */
export const RECORD = `
local ms, longest = tonumber(ARGV[1]), math.min(4294967295, math.floor(ARGV[1] * 100 + 0.5))
if not (ms >= 0 and ms <= 1e9) then return redis.error_reply('ERR latency in ms is not from 0 to 1e9') end
local bucket = ms < 0.1 and 0 or math.min(409, 1 + math.floor(16 * math.log(ms / 0.1) / math.log(2)))
redis.call('LPUSH', KEYS[1], ARGV[1]) redis.call('LTRIM', KEYS[1], 0, ARGV[5] - 1)
for i = 2, ARGV[2] == '1' and 3 or 2 do redis.call('INCR', KEYS[i]) end
local counted = redis.call('BITFIELD', KEYS[4], 'OVERFLOW', 'SAT', 'INCRBY', 'u32', '#0', 1,
  'INCRBY', 'u32', '#1', ARGV[2], 'INCRBY', 'u32', '#2', ARGV[3], 'INCRBY', 'i64', '#2', math.floor(ms * 1000 + 0.5),
  'INCRBY', 'u32', '#' .. (8 + bucket), 1, 'GET', 'u32', '#3', 'INCRBY', 'u32', '#6', #ARGV > 6 and 1 or 0)
if longest > counted[6] then redis.call('BITFIELD', KEYS[4], 'SET', 'u32', '#3', longest) end
for i = 7, #ARGV, 2 do
  local field, value = ARGV[6] .. ':' .. ARGV[i], tonumber(ARGV[i + 1])
  if value and math.abs(value) < math.huge then
    local n, sum, sq, low, high = (redis.call('HGET', KEYS[5], field) or ''):match('(%S+) (%S+) (%S+) (%S+) (%S+)')
    redis.call('HSET', KEYS[5], field, string.format('%d %.17g %.17g %.17g %.17g', (n or 0) + 1, (sum or 0) + value,
      (sq or 0) + value * value, math.min(low or value, value), math.max(high or value, value)))
  end
end
for i, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[4] + (i == 5 and 3600 or 0)) end
`
