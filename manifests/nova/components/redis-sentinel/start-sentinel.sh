#!/bin/sh
# Starts one sentinel. It writes what it learns into its own config, which is
# kept on the volume, so that a restart does not forget a failover.
set -eu
conf=/data/sentinel.conf
if [ ! -s "$conf" ]; then
  cat >"$conf" <<CONF
dir /tmp
port 26379
protected-mode no
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
sentinel announce-ip ${HOSTNAME}.redis-sentinel
sentinel monitor nova redis-0.redis 6379 2
sentinel down-after-milliseconds nova 5000
sentinel failover-timeout nova 30000
sentinel parallel-syncs nova 1
CONF
fi
# The name must resolve when the sentinel starts, or it refuses to.
until getent hosts redis-0.redis >/dev/null; do sleep 1; done
exec redis-server "$conf" --sentinel
