-- Sets the try counter of a running job to the try its producer asked for, as arq does where that is ahead. Fenced: a
-- worker that lost its lease must not give a later job of the same id tries it never had.
--
-- KEYS[1] -> arq:in-progress:<id>, KEYS[2] -> arq:retry:<id>
-- ARGV[1] -> token, ARGV[2] -> try, ARGV[3] -> TTL of the try counter in s
-- Output: 1 (set) or 0 (another worker holds the job, or nobody)
if redis.pcall('GET', KEYS[1]) ~= ARGV[1] then return { 0 } end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return { 1 }
