"""Routers of Python, driven line by line. Arguments: the URL of Redis, the folder of canary_router.py, which router: `copy` is
canary_router.py, `original` the rule of the Python application, whose sticky keys hold for whatever deployment they are of.
Each line is a request as JSON; each answer is JSON on a line."""
import asyncio
import hashlib
import json
import sys
import time

from redis.asyncio import Redis


class Original:
    def __init__(self, redis):
        self.redis = redis

    async def route(self, alias, user_id=None, request_id=None):
        text = await self.redis.get(f'canary:routes:{alias}')
        route = json.loads(text) if text else None
        if not route or route['status'] != 'running':
            return alias, None
        if user_id:
            sticky = f'canary:sticky:{alias}:{user_id}'
            kept = await self.redis.get(sticky)
            if kept and json.loads(kept)['collection'] in (route['old_collection'], route['new_collection']):
                return json.loads(kept)['collection'], route['deployment_id']
        bucket = int(hashlib.md5(f'{alias}:{user_id or request_id}'.encode()).hexdigest()[:8], 16) % 100
        collection = route['new_collection'] if bucket < route['percentage'] else route['old_collection']
        if user_id:
            session = {'collection': collection, 'deployment_id': route['deployment_id'], 'created_at': time.time()}
            await self.redis.setex(sticky, 86400, json.dumps(session))
        return collection, route['deployment_id']

    async def record(self, deployment_id, collection, latency_ms, is_error):
        minute = int(time.time() // 60)
        name = f'canary:metrics:{deployment_id}:{collection}'
        await self.redis.lpush(f'{name}:latency:{minute}', latency_ms)
        await self.redis.expire(f'{name}:latency:{minute}', 7200)
        await self.redis.incr(f'{name}:count:{minute}')
        if is_error:
            await self.redis.incr(f'{name}:errors:{minute}')


async def main(url, folder, which):
    redis = Redis.from_url(url, decode_responses=True)
    if which == 'copy':
        sys.path.insert(0, folder)
        from canary_router import CanaryRouter
        router = CanaryRouter(redis)
    else:
        router = Original(redis)
    print(json.dumps('ready'), flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        request = json.loads(line)
        if 'users' in request:
            answer = [(await router.route('products', user_id=user))[0] for user in request['users']]
        elif 'requests' in request:
            answer = [(await router.route('products', request_id=each))[0] for each in request['requests']]
        else:
            for each in request['record']:
                await router.record(**each)
            answer = 'recorded'
        print(json.dumps(answer), flush=True)


asyncio.run(main(*sys.argv[1:]))
