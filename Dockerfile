# An arq-ts worker: `docker build -t arq-ts .`, then `docker run -v ./arq-ts.yaml:/app/arq-ts.yaml:ro arq-ts`.
# The image holds the command, the task packages of this repository, and deploy/arq-ts.yaml with deploy/persisters.js
# as what runs unless others are mounted; add your own in a stage FROM it.
ARG NODE_IMAGE=node:22-bookworm-slim

FROM ${NODE_IMAGE} AS build
WORKDIR /build
COPY . .
RUN node -p "require('./package.json').packageManager" > /tmp/pnpm \
    && npx --yes "$(cat /tmp/pnpm)" install --frozen-lockfile \
    && node_modules/.bin/tsc -b packages/cli packages/qdrant packages/write-behind packages/canary \
    && node packages/dashboard-ui/scripts/build.mjs \
    && node scripts/bundle.mjs packages/protocol packages/core packages/cli packages/qdrant packages/write-behind packages/canary packages/dashboard \
    && npx --yes "$(cat /tmp/pnpm)" --filter @arq-ts/image deploy --legacy --prod /out

FROM ${NODE_IMAGE}
ENV NODE_ENV=production
# PID 1: waits for the children of processes that handlers start and leave behind, which would stay as zombies.
RUN apt-get update \
    && apt-get install -y --no-install-recommends tini=0.19.* \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY --from=build --chown=root:root /out /app
ENV PATH=/app/node_modules/.bin:$PATH
# In a container the loopback reaches nobody: what --metrics-port serves is for the container's network.
ENV ARQ_TS_METRICS_HOST=0.0.0.0
# What persisters.js writes: the only folder that is not root's.
ENV CACHE_FOLDER=/data
RUN mkdir /data && chown 1000:1000 /data
VOLUME /data
USER 1000
# As arq --check: fails when no worker of the queue has told of itself within its health_check_interval.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s --retries=3 CMD ["arq-ts", "health"]
# tini passes signals on to the supervisor, which drains all others. -s: also where Docker runs an init of its own.
STOPSIGNAL SIGTERM
ENTRYPOINT ["tini", "-s", "--", "arq-ts"]
CMD ["worker"]
