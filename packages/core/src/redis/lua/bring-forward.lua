-- Moves jobs whose worker died to the head of a queue that is behind. A claim has moved their scores to the end of the
-- lease; without this they would wait once more for everything that was queued before it.
-- The mark of the lease identifies them, see claim.lua. It stays, and so does the count of deaths.
-- Scores are searched from where the last search ended, whoever made it, so a fleet looks at each member once. Where no
-- search is known, it begins at the head. One call looks at a bounded number of members.
--
-- KEYS[1] -> queue, KEYS[2] -> arq:orphans:<queue>
-- ARGV[1] -> ms by which the first job is late where a queue is behind, ARGV[2] -> how many members to look at, at most,
--   ARGV[3] -> ms between two searches, ARGV[4] -> lifetime of the mark in ms,
--   ARGV[5] -> how many members are searched without a mark
-- Output: number of jobs moved; 1 where the queue is behind, else 0; 1 where more is left to search, else 0
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local head = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
head = tonumber(head)
if not head or head > now - ARGV[1] then return { 0, 0, 0 } end

local from, searched = string.match(redis.call('GET', KEYS[2]) or '', '^(%S+) (%d+)$')
if searched and math.abs(now - searched) < tonumber(ARGV[3]) then return { 0, 1, 0 } end
-- A mark of the future is of a clock that was ahead.
if not from or (tonumber(string.match(from, '^%(?(.*)$')) or now + 1) > now then from = '-inf' end

-- Where a fraction of 1/128 ms is exact.
local first = math.max(math.floor(head) - 1, -1e12)
local most = tonumber(ARGV[2])
local members = redis.call('ZRANGEBYSCORE', KEYS[1], from, now, 'WITHSCORES', 'LIMIT', 0, most)
local count, last_moved = 0, nil
-- Orphans that stand before everything else stay where they are.
local is_behind_others = from ~= '-inf'
for i = 1, #members, 2 do
  local id, text = members[i], members[i + 1]
  local score = tonumber(text)
  local units = string.find(text, '.', 1, true) and math.floor(score % 1 * 128 + 0.5) or 0
  if units % 2 == 0 then
    is_behind_others = true
  elseif is_behind_others then
    -- INCR emits the event 'zincr', so a listener for 'zadd' hears producers only.
    redis.call('ZADD', KEYS[1], 'XX', 'INCR', string.format('%.7f', first + units / 128 - score), id)
    count, last_moved = count + 1, id
  end
end

local is_more = #members == 2 * most
local to = is_more and members[#members] or string.format('%.0f', now)
-- Jobs of one lease have one score: those behind a page of them are met again, for the page itself was moved.
local is_among_orphans = is_more and last_moved == members[#members - 1]
-- A short queue is searched as a whole each time: that costs less than a mark.
if is_more or #members > 2 * ARGV[5] then
  redis.call('SET', KEYS[2], (is_among_orphans and '' or '(') .. to .. ' ' .. string.format('%.0f', now), 'PX', ARGV[4])
end
return { count, 1, is_more and 1 or 0 }
