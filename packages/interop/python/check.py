"""arq's own health check of the default queue: what `arq --check` runs."""
import asyncio
import sys

from arq.connections import RedisSettings
from arq.worker import async_check_health

sys.exit(asyncio.run(async_check_health(RedisSettings.from_dsn(sys.argv[1]))))
