#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# swap-host.sh LIMIT COMMAND...: runs COMMAND in a memory control group of LIMIT
# with swap on compressed memory, and disturbs its memory until it ends. Says at
# the end how many pages went out and came back.
limit=$1
shift
modprobe zram || exit 70
modprobe lzo-rle 2>/dev/null
echo 256M >/sys/block/zram0/disksize || exit 71
mkswap /dev/zram0 >/dev/null && swapon /dev/zram0 || exit 72
mkdir -p /cg
mount -t cgroup2 cg /cg || exit 73
echo +memory >/cg/cgroup.subtree_control || exit 74
mkdir /cg/guest
echo "$limit" >/cg/guest/memory.max || exit 75
[ ! -w /sys/kernel/mm/ksm/run ] || echo 1 >/sys/kernel/mm/ksm/run

sh -c 'echo $$ >/cg/guest/cgroup.procs; exec "$@"' sh "$@" &
guest=$!
(
	while kill -0 $guest 2>/dev/null; do
		echo 1 >/proc/sys/vm/compact_memory
		echo 4M >/cg/guest/memory.reclaim 2>/dev/null
		sleep 1
	done
) &
wait $guest
status=$?
grep -E '^(pswpin|pswpout|pgmigrate_success|compact_success) ' /proc/vmstat | sed 's/^/host: /'
exit $status
