#!/bin/sh
# Starts one Redis server. Whom it follows is the sentinels' to say; only where
# none of them answers, at the very beginning, the first Pod is the master.
set -eu
me="${HOSTNAME}.redis"
master=""
for n in 0 1 2; do
  master="$(timeout 2 redis-cli -h "redis-sentinel-$n.redis-sentinel" -p 26379 sentinel get-master-addr-by-name nova 2>/dev/null | head -n 1 || true)"
  [ -n "$master" ] && break
done
[ -n "$master" ] || master="redis-0.redis"
cat >/tmp/redis.conf <<CONF
dir /data
appendonly yes
maxmemory 192mb
maxmemory-policy allkeys-lru
protected-mode no
# By name: an address changes with each restart of the Pod.
replica-announce-ip $me
min-replicas-to-write 0
CONF
if [ "$master" != "$me" ]; then
  echo "replicaof $master 6379" >>/tmp/redis.conf
fi
exec redis-server /tmp/redis.conf
