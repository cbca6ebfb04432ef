"""arq's own answer to many cron questions: one JSON list [options, previous ms, zone] per line in, unix ms out."""
import datetime
import json
import sys
import zoneinfo

from arq.cron import next_cron
from arq.utils import to_unix_ms

for line in sys.stdin:
    options, previous, zone = json.loads(line)
    given = {key: set(value) if isinstance(value, list) else value for key, value in options.items()}
    before = datetime.datetime.fromtimestamp(previous / 1000, zoneinfo.ZoneInfo(zone))
    print(to_unix_ms(next_cron(before, **given)), flush=True)
