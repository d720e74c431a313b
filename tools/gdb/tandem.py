# SPDX-License-Identifier: GPL-2.0-only
"""Commands for gdb: what the BT engine's translation cache holds.

    (gdb) source tools/gdb/tandem.py
    (gdb) tandem-code VM ADDR     translations that have the guest instruction at ADDR
    (gdb) tandem-where VM ADDR    which guest instruction the TC address ADDR belongs to

VM is an expression for a struct tdm_vm *, such as vcpu->vm. It works wherever gdb
can read the module's memory and knows its types: the emulated host of `lab shell`
after add-symbol-file, a crash dump, or the unit test of the cache. Nothing is
changed, and no function of the target is called.
"""
import gdb

PAGE = 4096
TC = 0x40000000         # TDM_BT_TC
KINDS = ("before", "after", "taken", "indirect")


def cache_of(expression):
    """struct tdm_bt_vm * of a VM."""
    vm = gdb.parse_and_eval(expression)
    if vm.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
        vm = vm.address
    cache = vm["engine_priv"].cast(gdb.lookup_type("struct tdm_bt_vm").pointer())
    if not int(cache):
        raise gdb.GdbError("this VM has no translation cache: is it on the BT engine?")
    return cache


def units(cache):
    """All translation units, dead ones too, by number: also by address."""
    chunk = PAGE // gdb.lookup_type("long").pointer().sizeof
    for number in range(1, int(cache["nr_tus"])):
        unit = cache["tu"][number // chunk][number % chunk]
        if int(unit):
            yield unit


def address(cache, unit, offset=0):
    return (int(cache["base"]) + TC + int(unit["off"]) + offset) & (2 ** 64 - 1)


def code(cache, unit):
    """The fragment's bytes, page by page."""
    offset, left, out = int(unit["off"]), int(unit["len"]), b""
    inferior = gdb.selected_inferior()
    while left:
        size = min(left, PAGE - offset % PAGE)
        page = int(cache["page"][offset // PAGE])
        out += bytes(inferior.read_memory(page + offset % PAGE, size))
        offset, left = offset + size, left - size
    return out


def name_of(guest_address):
    return f"0x{guest_address:x}"


def show_unit(cache, unit):
    dead = " (dead)" if unit["dead"] else ""
    print(f"tu {int(unit['nr'])}: guest {name_of(int(unit['rip']))}, "
          f"{int(unit['guest_len'])} bytes, {int(unit['nr_insns'])} instructions; "
          f"TC 0x{address(cache, unit):x}, {int(unit['len'])} bytes{dead}")
    print("  " + code(cache, unit).hex(" "))
    for index in range(int(unit["nr_recs"])):
        record = unit["recs"][index]
        kind = int(record["kind"])
        print(f"  +0x{int(record['hoff']):x}: "
              f"{KINDS[kind] if kind < len(KINDS) else '?'} "
              f"{name_of(int(unit['rip']) + int(record['goff']))} "
              f"restore 0x{int(record['restore']):x} flags 0x{int(record['flags']):x} "
              f"op {int(record['op'])}")
    for index in range(int(unit["nr_links"])):
        link = unit["links"][index]
        print(f"  link to {name_of(int(link['target']))}, state {int(link['state'])}")


def arguments(text):
    """The last word is the address, what is before it the VM."""
    vm, _, last = text.strip().rpartition(" ")
    if not vm:
        raise gdb.GdbError("two arguments, please: an expression for a VM, and an address")
    return cache_of(vm), int(gdb.parse_and_eval(last)) & (2 ** 64 - 1)


class Code(gdb.Command):
    """tandem-code VM ADDR: translations that have the guest instruction at ADDR."""

    def __init__(self):
        super().__init__("tandem-code", gdb.COMMAND_DATA)

    def invoke(self, text, _from_tty):
        cache, guest = arguments(text)
        found = [unit for unit in units(cache)
                 if 0 <= guest - int(unit["rip"]) < int(unit["guest_len"])]
        for unit in found:
            show_unit(cache, unit)
        if not found:
            print(f"no translation of {name_of(guest)}")


class Where(gdb.Command):
    """tandem-where VM ADDR: which guest instruction the TC address ADDR belongs to."""

    def __init__(self):
        super().__init__("tandem-where", gdb.COMMAND_DATA)

    def invoke(self, text, _from_tty):
        cache, at = arguments(text)
        for unit in units(cache):
            offset = at - address(cache, unit)
            if 0 <= offset < int(unit["len"]):
                break
        else:
            print(f"0x{at:x} is in no fragment: a cell, a stub, common code, or not in the TC")
            return
        record = unit["recs"][0]
        for index in range(int(unit["nr_recs"])):
            if int(unit["recs"][index]["hoff"]) <= offset:
                record = unit["recs"][index]
        kind = int(record["kind"])
        print(f"0x{at:x}: {KINDS[kind] if kind < len(KINDS) else '?'} guest "
              f"{name_of(int(unit['rip']) + int(record['goff']))}, tu {int(unit['nr'])} "
              f"+0x{offset:x}{', dead' if unit['dead'] else ''}")


Code()
Where()
