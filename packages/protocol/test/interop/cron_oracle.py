"""An independent answer to cron questions around clock changes, by cronsim, arq and zoneinfo (PEP 495).

In: one JSON object {schedules, zones, years: [from, until]}. A schedule is an expression or arq's options.
Out, a JSON object per line: for each zone {zone, changes: [[at, before, after], ...]}, then for each schedule and zone
{schedule, zone, ticks: [[after, [tick, ...]], ...], cronsim: [[at, documented, cronsim's own], ...]}, in unix ms.
`ticks` follow the documented rules; `cronsim` has what cronsim itself does where that differs.
"""
import json
import sys
from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import arq.cron
from arq.cron import next_cron
from arq.utils import to_unix_ms
from cronsim import CronSim

# asdict() copies deeply at every step, which takes nine tenths of the time; nobody changes what it gives.
arq.cron.dataclasses = type('fast', (), {'asdict': staticmethod(vars)})

UTC = timezone.utc
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)
SPAN = timedelta(hours=30)
TICKS = 6


def offset(instant, zone):
    return instant.astimezone(zone).utcoffset()


def changes_of(zone, first, last):
    """Every instant of these years at which the zone's offset changes, by an hourly look and bisection."""
    at, end = datetime(first, 1, 1, tzinfo=UTC), datetime(last, 1, 1, tzinfo=UTC)
    before = offset(at, zone)
    while at < end:
        following = at + HOUR
        after = offset(following, zone)
        if after != before:
            low, high = at, following
            while high - low > SECOND:
                middle = low + timedelta(seconds=(high - low) // SECOND // 2)
                low, high = (middle, high) if offset(middle, zone) == before else (low, middle)
            yield high, before, after
        at, before = following, after


class Expression:
    def __init__(self, text):
        self.text = text
        self.is_interval = CronSim(text, datetime(2000, 1, 1)).hours == set(range(24))

    def walls(self, after):
        """Matching wall times later than a naive datetime, without end."""
        return CronSim(self.text, after)

    def own(self, start, zone):
        """The zone as cronsim reads it."""
        ticks = []
        for tick in islice(CronSim(self.text, start.astimezone(zone)), TICKS):
            if tick - start > SPAN:
                break
            ticks.append(to_unix_ms(tick))
        return ticks


class Options:
    def __init__(self, given):
        self.given = {key: set(value) if isinstance(value, list) else value for key, value in given.items()}
        hour = self.given.get('hour')
        self.is_interval = hour is None or hour == set(range(24))

    def walls(self, after):
        wall = after
        while True:
            wall = next_cron(wall, **self.given)
            yield wall

    own = None


def interval(schedule, first, last, zone, change):
    """Whenever the clock shows a matching time: instants after `first`, and enough of them after `last`."""
    at, before, after = change
    found = []
    for low, high, ahead in ((first, at, before), (max(first, at - SECOND), last + SPAN, after)):
        beyond = 0
        for wall in schedule.walls((low + ahead).replace(tzinfo=None)):
            instant = wall.replace(tzinfo=UTC) - ahead
            if instant >= high or beyond > TICKS:
                break
            found.append(instant)
            beyond += instant > last
    return sorted(found)


def time_of_day(schedule, first, last, zone, change):
    """Each matching time of the day once, at PEP 495's instant of it: as many instants as `interval` gives."""
    at, before, after = change
    jump = abs(after - before)
    found = set()
    beyond = []
    for wall in schedule.walls((first + min(before, after) - jump - HOUR).replace(tzinfo=None)):
        instant = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
        if instant - last > SPAN + 2 * jump:
            break
        # A tick that the change has moved may come before the ticks of earlier wall times, by the jump at most.
        if len(beyond) > TICKS and instant - beyond[TICKS] > jump:
            break
        if instant not in found:
            found.add(instant)
            if instant > last:
                beyond = sorted([*beyond, instant])
    return sorted(found)


def ticks_after(instants, start):
    # arq begins to look one second later, so a tick within the second of `start` is past, unless it rounds to the next:
    # then `start` may be the tick before, in ms.
    def is_after(each):
        return start + SECOND <= each or (start <= each and each.microsecond >= 999_500)

    return [to_unix_ms(each) for each in instants if is_after(each) and each <= start + SPAN][:TICKS]


def main():
    asked = json.loads(sys.stdin.readline())
    zones = {name: ZoneInfo(name) for name in asked['zones']}
    changes = {name: list(changes_of(zone, *asked['years'])) for name, zone in zones.items()}
    for name, found in changes.items():
        listed = [[to_unix_ms(at), before // SECOND * 1000, after // SECOND * 1000] for at, before, after in found]
        print(json.dumps({'zone': name, 'changes': listed}))
    for number, given in enumerate(asked['schedules']):
        schedule = Expression(given) if isinstance(given, str) else Options(given)
        documented = interval if schedule.is_interval else time_of_day
        for name, zone in zones.items():
            ticks, differences = [], []
            for change in changes[name]:
                at, before, after = change
                jump = abs(after - before)
                starts = [at - 2 * HOUR, at - SECOND, at + jump / 2, at + jump - SECOND]
                starts = [start.replace(microsecond=0) for start in starts]
                # One second sooner: a tick at the end of the first second rounds to the next one.
                instants = documented(schedule, min(starts) - SECOND, max(starts), zone, change)
                for start in starts:
                    ticks.append([to_unix_ms(start), ticks_after(instants, start)])
                if schedule.own:
                    own, ours = schedule.own(starts[0], zone), ticks_after(instants, starts[0])
                    if own != ours:
                        differences.append([to_unix_ms(at), ours, own])
            print(json.dumps({'schedule': number, 'zone': name, 'ticks': ticks, 'cronsim': differences}))


main()
