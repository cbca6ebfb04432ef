"""A canary router for Python services: copy this file. It decides as @arq-ts/canary does, on the same keys, and counts with
the same script, so services of both languages share sessions, shares and figures. Needs redis-py 5 or newer.

    router = CanaryRouter(redis.asyncio.Redis(db=0), prefix='aidocs:')
    collection, deployment_id = await router.route('products', user_id='u1')
    await router.record(deployment_id, collection, latency_ms=12.5, is_error=False, values={'ctr': 0.1})
"""
import hashlib
import json
import time

RECORD = """
local ms, kept = tonumber(ARGV[1]), ARGV[4]
redis.call('LPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[5]) - 1)
redis.call('INCR', KEYS[2])
if ARGV[2] == '1' then redis.call('INCR', KEYS[3]) redis.call('EXPIRE', KEYS[3], kept) end
local bucket = 0
if ms >= 0.1 then bucket = math.min(409, 1 + math.floor(16 * math.log(ms / 0.1) / math.log(2))) end
local longest = math.min(4294967295, math.floor(ms * 100 + 0.5))
local counted = redis.call('BITFIELD', KEYS[4], 'OVERFLOW', 'SAT', 'INCRBY', 'u32', '#0', 1, 'INCRBY', 'u32', '#1', ARGV[2],
  'INCRBY', 'u32', '#2', ARGV[3], 'INCRBY', 'i64', '#2', math.floor(ms * 1000 + 0.5),
  'INCRBY', 'u32', '#' .. (8 + bucket), 1, 'GET', 'u32', '#3', 'INCRBY', 'u32', '#6', #ARGV > 6 and 1 or 0)
if longest > counted[6] then redis.call('BITFIELD', KEYS[4], 'SET', 'u32', '#3', longest) end
for i = 7, #ARGV, 2 do
  local field, value = ARGV[6] .. ':' .. ARGV[i], tonumber(ARGV[i + 1])
  if value and math.abs(value) < math.huge then
    local n, sum, squares, low, high = 0, 0, 0, value, value
    for a, b, c, d, e in string.gmatch(redis.call('HGET', KEYS[5], field) or '', '(%S+) (%S+) (%S+) (%S+) (%S+)') do
      n, sum, squares, low, high = tonumber(a), tonumber(b), tonumber(c), tonumber(d), tonumber(e)
    end
    local now = string.format('%d %.17g %.17g %.17g %.17g', n + 1, sum + value, squares + value * value,
      math.min(low, value), math.max(high, value))
    redis.call('HSET', KEYS[5], field, now)
  end
end
for i = 1, 5 do if i ~= 3 then redis.call('EXPIRE', KEYS[i], i == 5 and kept + 3600 or kept) end end
return 1
"""


class CanaryRouter:
    def __init__(self, redis, prefix=''):
        self.redis, self.prefix = redis, prefix
        self._record = redis.register_script(RECORD)

    async def route(self, alias, user_id=None, request_id=None):
        """The collection to search, and the deployment to record for: (alias, None) while there is none."""
        sticky = f'{self.prefix}canary:sticky:{alias}:{user_id}'
        text, session = await self.redis.mget(f'{self.prefix}canary:routes:{alias}', sticky)
        route = _read(text)
        if route.get('status') != 'running':
            return alias, None
        kept = _read(session) if user_id is not None else {}
        is_new = kept.get('collection') == route['new_collection'] and kept.get('deployment_id') == route['deployment_id']
        digest = hashlib.md5(f'{alias}:{request_id if user_id is None else user_id}'.encode()).hexdigest()
        # A session moves from old to new when the share has reached its user, and never back.
        is_new = is_new or int(digest[:8], 16) % 100 < route['percentage']
        collection = route['new_collection' if is_new else 'old_collection']
        is_kept = kept.get('collection') == collection and kept.get('deployment_id') == route['deployment_id']
        if user_id is not None and not is_kept:
            session = {'collection': collection, 'deployment_id': route['deployment_id'], 'created_at': time.time()}
            await self.redis.set(sticky, json.dumps(session), ex=86400)
        return collection, route['deployment_id']

    async def record(self, deployment_id, collection, latency_ms, is_error, is_shadow=False, values=None):
        """Counts one request; nothing without a deployment."""
        if deployment_id is None:
            return
        minute = int(time.time() // 60)
        name = f'{self.prefix}canary:metrics:{deployment_id}:{collection}'
        keys = [f'{name}:{kind}:{minute}' for kind in ('latency', 'count', 'errors', 'histogram')]
        numbers = [part for pair in (values or {}).items() for part in pair]
        args = [latency_ms, int(is_error), int(is_shadow), 7200, 1000, minute, *numbers]
        await self._record(keys=[*keys, f'{name}:values:{minute // 60}'], args=args)


def _read(text):
    try:
        value = json.loads(text or 'null')
        return value if isinstance(value, dict) else {}
    except ValueError:
        return {}
