#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
#
# The module loaded and unloaded 50 times with VMs made, run and killed in
# between: nothing leaked, nothing warned. KTAP.
#
# Wants vmload and tandem.ko beside it, and the module loaded already or not.
# What is compared are the memory statistics of the kernel after a warm-up, half
# way, and at the end: a leak grows in both halves, while free pages that wait on
# the CPUs' own lists come and go once.

ROUNDS=${ROUNDS:-50}
WARM=10
HALF=$(((ROUNDS + WARM) / 2))
MODULE=${MODULE:-./tandem.ko}
# What may come and go by itself in one half (kernel threads, logs): a leak of five
# pages a round is more.
SLACK_KB=${SLACK_KB:-400}

failed=0
count=0

result() { # NAME STATUS TEXT
	count=$((count + 1))
	if [ "$2" = 0 ]; then
		echo "ok $count $1"
	else
		echo "not ok $count $1"
		echo "# $3"
		failed=1
	fi
}

field() { # NAME
	awk -v name="$1:" '$1 == name { print $2 }' /proc/meminfo
}

# Unreclaimable slab, per-CPU, vmalloc, page tables, kernel stacks, and the
# sum of all that is neither free nor the processes' own. Free pages that wait on
# the CPUs' lists are free: /proc/zoneinfo counts them.
waiting() {
	awk '$1 == "pagesets" { on = 1 }
	on && $1 == "count:" { n += $2 }
	END { print n * 4 }' /proc/zoneinfo
}

memory() {
	for f in SUnreclaim Percpu VmallocUsed PageTables KernelStack; do
		echo "$f $(field $f)"
	done
	echo "InUse $(($(field MemTotal) - $(field MemFree) - $(field Cached) \
		- $(field Buffers) - $(field SReclaimable) - $(field AnonPages) - $(waiting)))"
}

# With all deferred freeing done.
settle() {
	sync
	echo 3 > /proc/sys/vm/drop_caches
	sleep 1
}

echo "KTAP version 1"
echo "1..5"
dmesg -c > /dev/null 2>&1
grep -q '^tandem ' /proc/modules && rmmod tandem

bad=
i=0
while [ $i -lt "$ROUNDS" ]; do
	i=$((i + 1))
	if ! insmod "$MODULE"; then
		bad="round $i: insmod failed"
		break
	fi
	if ! ./vmload; then
		bad="round $i: vmload failed"
		break
	fi
	if ! rmmod tandem; then
		bad="round $i: rmmod failed: $(grep '^tandem ' /proc/modules)"
		break
	fi
	if [ $i = $WARM ]; then
		settle
		before=$(memory)
	elif [ $i = $HALF ]; then
		settle
		half=$(memory)
	fi
done
[ -z "$bad" ]
result "load_unload_$ROUNDS" $? "$bad"

settle
after=$(memory)
grown=$(printf '%s\n%s\n%s\n' "$before" "$half" "$after" | awk -v slack="$SLACK_KB" '
	!($1 in first) { first[$1] = $2; next }
	!($1 in second) { second[$1] = $2; next }
	second[$1] - first[$1] > slack && $2 - second[$1] > slack {
		printf "%s grew from %d to %d to %d kB; ",
			$1, first[$1], second[$1], $2 }')
[ -z "$grown" ]
result no_memory_leaked $? "$grown"
for when in before half after; do
	eval "echo \"\$$when\"" | sed "s/^/# $when: /"
done

left=$(grep -i tandem /proc/slabinfo /proc/vmallocinfo /proc/misc \
	/proc/interrupts /proc/modules 2>/dev/null | head -n 5)
[ -z "$left" ]
result nothing_left_behind $? "$left"
[ ! -e /sys/kernel/debug/tandem ] && [ ! -e /dev/tandem ]
result no_device_left $? "$(ls -d /sys/kernel/debug/tandem /dev/tandem 2>&1)"

noise=$(dmesg | grep -E 'WARNING|BUG|Oops|leak|refcount|Call Trace|lockdep' |
	head -n 5)
[ -z "$noise" ]
result kernel_log_clean $? "$noise"

# As it was found: what runs next wants the device.
insmod "$MODULE"
exit $failed
