"""A canary router to copy, for redis-py 5 and newer: it decides and counts as @arq-ts/canary does, on the same keys.

    router = CanaryRouter(redis.asyncio.Redis(db=0), prefix='aidocs:')
    collection, deployment_id = await router.route('products', user_id='u1')
    await router.record(deployment_id, collection, latency_ms=12.5, is_error=False, values={'ctr': 0.1})
"""
import hashlib
import json
import time

RECORD = """
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
"""


class CanaryRouter:
    def __init__(self, redis, prefix=''):
        self.redis, self.prefix, self._count = redis, prefix, redis.register_script(RECORD)

    async def route(self, alias, user_id=None, request_id=None):
        """The collection to search, and the deployment to record for: (alias, None) while there is none."""
        names = [f'{self.prefix}canary:routes:{alias}', f'{self.prefix}canary:sticky:{alias}:{user_id}']
        route, saved = map(_read, await self.redis.mget(names))
        if route.get('status') != 'running':
            return alias, None
        kept = user_id is not None and saved.get('deployment_id') == route['deployment_id'] and saved.get('collection')
        digest = hashlib.md5(f'{alias}:{request_id if user_id is None else user_id}'.encode()).hexdigest()
        # A session moves from old to new when the share has reached its user, and never back.
        is_new = kept == route['new_collection'] or int(digest[:8], 16) % 100 < route['percentage']
        collection = route['new_collection' if is_new else 'old_collection']
        if user_id is not None and kept != collection:
            saved = {'collection': collection, 'deployment_id': route['deployment_id'], 'created_at': time.time()}
            await self.redis.set(names[1], json.dumps(saved), ex=86400)
        return collection, route['deployment_id']

    async def record(self, deployment_id, collection, latency_ms, is_error, is_shadow=False, values=None):
        """Counts one request; nothing without a deployment."""
        if deployment_id is not None:
            minute, name = int(time.time() // 60), f'{self.prefix}canary:metrics:{deployment_id}:{collection}'
            keys = [f'{name}:{kind}:{minute}' for kind in ('latency', 'count', 'errors', 'histogram')]
            args = [latency_ms, int(is_error), int(is_shadow), 7200, 1000, minute, *sum((values or {}).items(), ())]
            await self._count(keys=[*keys, f'{name}:values:{minute // 60}'], args=args)


def _read(text):
    try:
        return dict(json.loads(text or '{}'))
    except (TypeError, ValueError):
        return {}
