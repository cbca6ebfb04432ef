#!/bin/sh
# Builds the image and runs a worker with Dragonfly and Qdrant beside it; arguments go to `docker compose up`.
set -eu
cd "$(dirname -- "$0")/.."
if docker compose version >/dev/null 2>&1; then
  exec docker compose --profile worker up --build "$@"
fi
exec docker-compose --profile worker up --build "$@"
