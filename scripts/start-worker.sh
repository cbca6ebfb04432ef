#!/bin/sh
# Starts a worker of this repository: ./scripts/start-worker.sh --workers 2 --max-jobs 20 --queue high_priority
# Settings: arq-ts.yaml in the current folder, else deploy/arq-ts.yaml; ARQ_TS_… in the environment; flags.
set -eu
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
if [ ! -f "$root/packages/cli/dist/main.js" ]; then
  (cd "$root" && node scripts/build.mjs)
fi
if [ -z "${ARQ_TS_CONFIG:-}" ] && ! ls arq-ts.yaml arq-ts.yml arq-ts.toml arq-ts.json >/dev/null 2>&1; then
  export ARQ_TS_CONFIG="$root/deploy/arq-ts.yaml"
fi
exec node "$root/packages/cli/dist/main.js" worker "$@"
