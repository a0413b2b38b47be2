#!/bin/sh
# Flags or a config file alone are the server's; and the server does not run as
# root.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
	set -- redis-server "$@"
fi
if [ "$(id -u)" = 0 ]; then
	case $1 in
	redis-server | redis-sentinel)
		chown -R redis:redis .
		exec setpriv --reuid=redis --regid=redis --init-groups "$@"
		;;
	esac
fi
umask 0077
exec "$@"
