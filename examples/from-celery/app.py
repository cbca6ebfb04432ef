"""The Celery application: `app.py delay NAME…` enqueues, `celery -A app worker` works."""

import os
import sys

from celery import Celery

app = Celery('app', broker=os.environ['REDIS_URL'])
app.conf.broker_connection_retry_on_startup = True


@app.task
def send_mail(to):
    print(f'sent {to}', flush=True)


if __name__ == '__main__':
    for name in sys.argv[2:]:
        send_mail.delay(name)
