#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# tools/gdb/tandem.py on the unit test of the translation cache, which has the module's
# types. KTAP on stdout.
#
# usage: gdb_test.sh PROGRAM
top=$(dirname "$(realpath "$0")")/../../..

echo "KTAP version 1"
echo "1..3"
if ! command -v gdb >/dev/null; then
	for n in 1 2 3; do echo "ok $n gdb commands # SKIP no gdb: apt install gdb"; done
	exit 0
fi
out=$(timeout 120 gdb -q -nx -batch -ex "source $top/tools/gdb/tandem.py" \
	-ex "break audit" -ex run -ex "ignore 1 50" -ex continue \
	-ex 'set $tc = (struct tdm_bt_vm *)vm.engine_priv' -ex 'set $tu = $tc->tu[0][3]' \
	-ex 'printf "expect tu 3: guest 0x%lx\n", $tu->rip' \
	-ex 'printf "expect where guest 0x%lx, tu 3 +0x0\n", $tu->rip' \
	-ex 'tandem-code vm $tu->rip' \
	-ex 'tandem-where vm $tc->base+0x40000000+$tu->off' \
	-ex 'tandem-where &vm 0' -ex kill "$1" 2>&1)
code=$(echo "$out" | sed -n 's/^expect \(tu 3: guest .*\)/\1/p')
where=$(echo "$out" | sed -n 's/^expect where \(.*\)/\1/p')

# result NUMBER TEXT PATTERN
result()
{
	if [ -n "$3" ] && echo "$out" | grep -v '^expect ' | grep -qF "$3"; then
		echo "ok $1 $2"
	else
		echo "$out" | sed 's/^/# /'
		echo "not ok $1 $2"
		failed=1
	fi
}

result 1 "gdb: a translation by guest address" "$code,"
result 2 "gdb: the guest address of a TC address" "$where"
result 3 "gdb: an address that is in no fragment" "0x0 is in no fragment"
exit ${failed:-0}
