# SPDX-License-Identifier: GPL-2.0-only
"""What is measured on what: operations, workloads, runners, aims.

Names are part of the contract of build/bench.json: keep them.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Runner:
    """Something that can run a guest."""
    name: str
    options: str            # of `tandem run`
    setup: str = ""         # shell, in the host, before the first guest
    teardown: str = ""
    check: str = "true"     # shell: fails if it is not what it should be
    qemu: bool = False      # an emulator in the host: no counts but ticks


_KVM = "modprobe kvm_intel enable_apicv=0 ept={}"
_NO_KVM = "rmmod kvm_intel kvm"
_KVM_IS = "grep -q {} /sys/module/kvm_intel/parameters/ept"

# A module without the parameter has one kind of BT only.
_BT_PARAMETER = "/sys/module/tandem/parameters/bt_adapt"
_BT_ADAPT = f"[ ! -e {_BT_PARAMETER} ] || echo {{}} > {_BT_PARAMETER}"

# APICv is off because Bochs' hangs now and then. "bare" needs no host.
BARE = "bare"
RUNNERS = {runner.name: runner for runner in (
    Runner(BARE, ""),
    Runner("tandem-vmx-ept", "--engine vmx --mmu ept"),
    Runner("tandem-vmx-shadow", "--engine vmx --mmu shadow"),
    # VMX lies idle: the same machine, so that all compare. "Simple" BT never
    # retranslates what traps and leaves what it can to callouts.
    Runner("tandem-bt", "--engine bt --mmu shadow", _BT_ADAPT.format(1),
           check=f"! grep -qs [0N] {_BT_PARAMETER}"),
    Runner("tandem-bt-simple", "--engine bt --mmu shadow",
           _BT_ADAPT.format(0), _BT_ADAPT.format(1),
           f"grep -q [0N] {_BT_PARAMETER}"),
    Runner("kvm-ept", "--device /dev/kvm", _KVM.format(1), _NO_KVM,
           _KVM_IS.format("Y")),
    Runner("kvm-shadow", "--device /dev/kvm", _KVM.format(0), _NO_KVM,
           _KVM_IS.format("N")),
    Runner("qemu-tcg", "", qemu=True),
)}

# Operations of tools/testing/guests/nano.c and what they are.
NANO = {
    "cpuid": "CPUID",
    "cli": "CLI",
    "sti_cli": "STI, CLI",
    "pushf_popf": "PUSHF, POPF",
    "cr8wr": "MOV to CR8",
    "swapgs": "SWAPGS",
    "callret": "CALL, RET",
    "indirect_call": "CALL through a register, RET",
    "in": "IN from port 0x80 (nobody's)",
    "out": "OUT to port 0x80 (nobody's)",
    "in_pic": "read of the interrupt controller",
    "out_pic": "write to the interrupt controller",
    "in_pit": "read of the timer",
    "rdtsc": "RDTSC",
    "rdtscp": "RDTSCP",
    "rdtsc_user": "RDTSC in ring 3",
    "rdmsr_efer": "RDMSR of EFER",
    "wrmsr_efer": "WRMSR of EFER",
    "rdmsr_apic_base": "RDMSR of APIC_BASE",
    "wrmsr_pat": "WRMSR of PAT",
    "wrmsr_lstar": "WRMSR of LSTAR",
    "wrmsr_fs_base": "WRMSR of FS_BASE",
    "cr0_write": "MOV to CR0, unchanged",
    "clts": "CLTS",
    "syscall": "SYSCALL from ring 3, SYSRET",
    "int_user": "INT from ring 3, IRET",
    "divzero": "#DE, handler skips, IRET",
    "apic_read": "read of an APIC register",
    "apic_write_tpr": "write of the APIC's TPR",
    "interrupt": "interrupt sent to oneself, taken, EOI",
    "wrmsr_tsc_deadline": "arming the APIC timer",
    "hlt_wakeup": "HLT until the APIC timer's interrupt",
    "pgfault": "true #PF, handler skips, IRET",
    "pgfault_fix": "PTE made not present, INVLPG, #PF, handler repairs, IRET",
    "ptemod_unchanged": "PTE written with the value it has, no flush",
    "ptemod_p_np": "PTE to not present, 64 after each flush",
    "ptemod_np_p": "PTE to present, 64 after each flush",
    "traced_unchanged": "first PTE write after a flush: value unchanged",
    "traced_p_np": "first PTE write after a flush: to not present",
    "traced_np_p": "first PTE write after a flush: to present",
    "trace_fault": "first write to a page table since it is in use",
    "pte_flush": "PTE changed, everything flushed",
    "hidden_table": "first use of a page table the guest made before",
    "pte_flip": "PTE changed, INVLPG, write through it",
    "hidden_fault": "first use of a mapping the guest made before",
    "first_touch": "new PTE, first use of it",
    "new_memory": "first use of memory through a large mapping",
    "invlpg": "INVLPG of a page in use",
    "touch_after_invlpg": "use of a page after its INVLPG",
    "cr3_reload": "MOV to CR3, the same",
    "cr3_switch": "MOV to CR3, two address spaces in turn",
    "cr3_switch_8": "MOV to CR3, eight address spaces in turn",
    "cr3_new": "MOV to CR3, an address space never seen",
    "translate": "four instructions that never ran before",
    "code_write": "store to code that just ran",
    "ipi": "interrupt to a second processor that sleeps, and back",
}
# A loop's own cost, subtracted from the operations of that kind.
OVERHEAD = {"loop": "empty", "timed": "empty_timed"}
# PTEs that ptemod_* change between two looks at the clock.
BATCH = 64

# Those QEMU's guest waits in; its clock runs on meanwhile.
NO_QEMU = ("hlt_wakeup", "wrmsr_tsc_deadline")

# Workloads of guest/macro.c: how often, in full and with --quick.
MACRO = {
    "boot": (1, 1),
    "forkwait": (200, 60),
    "forkexec": (50, 20),
    "switch": (2000, 400),
    "syscalls": (20000, 5000),
    "graphics": (5000, 1500),
    "largeram": (2, 1),
    "files": (4, 2),
    "compute": (3, 1),
    "managed": (3, 1),
    "compile": (2, 1),
    "web_processes": (100, 30),
    "web_threads": (100, 30),
}
# Whose VM exits are shown by reason.
EXITS_OF = ("boot", "forkwait", "forkexec", "switch", "compile",
            "web_processes")
MACRO_TEXT = {
    "boot": "Linux from its entry to process 1",
    "forkwait": "fork, exit, wait",
    "forkexec": "vfork, exec, exit, wait",
    "switch": "a byte from one process to another and back",
    "syscalls": "getppid()",
    "graphics": "lines drawn into a memfd: 3 system calls each (2D graphics)",
    "largeram": "16 MiB mapped, touched, unmapped (LargeRAM)",
    "files": "40 small files and a large one, made to removed (PassMark disk)",
    "compute": "64 KiB sorted (SPECint)",
    "managed": "perl, objects made and thrown away (SPECjbb)",
    "compile": "tcc compiles a file (compileLin)",
    "web_processes": "Apache, prefork, one page over loopback",
    "web_threads": "Apache, worker, one page over loopback",
}

# How cost grows with what is not touched: rows of their own names.
GROWTH = {
    # Blocks of code, run in turn, that there are; the last with a translation
    # cache (bt_tc_mb) that does not hold them.
    "code_100": "a block of 100",
    "code_1000": "a block of 1,000",
    "code_10000": "a block of 10,000",
    "code_60000": "a block of 60,000, translation cache of 2 MiB",
    # A byte handed on among processes, per hop.
    "ring_10": "a hop among 10 processes",
    "ring_100": "a hop among 100 processes",
    # fork, exit, wait, per process.
    "forkwait_100M": "forkwait with 100 MiB of memory",
    "forkwait_1000M": "forkwait with 1,000 MiB of memory",
}
GROWTH_NANO = ("code_100", "code_1000", "code_10000")
GROWTH_BOUND = "code_60000"
GROWTH_MACRO = {"ring_10": (2000, 1000), "ring_100": (2000, 1000)}
GROWTH_MEMORY = {"forkwait_100M": 100, "forkwait_1000M": 1000}
GROWTH_FORKS = 60
ALL_MACRO = {*MACRO, *GROWTH_MACRO, *GROWTH_MEMORY}
GROWTH_RUNNERS = (BARE, "tandem-vmx-ept", "tandem-vmx-shadow", "tandem-bt",
                  "kvm-shadow")
GROWTH_MEMORY_RUNNERS = (BARE, "tandem-vmx-shadow", "tandem-bt")
# A translation cache that does not hold GROWTH_BOUND's blocks; a module without
# BT, or one that takes the size only when it is loaded, says so in the row.
_TC_MB = "/sys/module/tandem/parameters/bt_tc_mb"
SMALL_TC = f"was=$(cat {_TC_MB}); echo 2 > {_TC_MB}; {{}}; s=$?; " \
    f"echo $was > {_TC_MB}; exit $s"
# What the emulator as a guest's runner is asked to do: all takes too long.
QEMU_MACRO = ("boot", "forkwait", "syscalls", "largeram", "compute")
# Needs a second processor.
SMP_NANO = "ipi"
# (operation, runner): instructions over the bare machine's, at most.
AIMS = {
    **{(op, "tandem-bt"): aim for op, aim in (
        ("cli", 4), ("sti_cli", 8), ("cr8wr", 4), ("swapgs", 4),
        ("callret", 8), ("indirect_call", 10), ("in_pic", 60), ("rdtsc", 25),
        ("syscall", 120), ("ptemod_unchanged", 40), ("ptemod_p_np", 40),
        ("ptemod_np_p", 250), ("pgfault", 500), ("divzero", 200))},
    ("pte_flip", "tandem-vmx-shadow"): 1200,
    ("pgfault_fix", "tandem-vmx-shadow"): 2500,
    ("cr3_switch", "tandem-vmx-shadow"): 450,
    ("first_touch", "tandem-vmx-shadow"): 2000,
    ("cpuid", "tandem-vmx-ept"): 250,
    ("in_pic", "tandem-vmx-ept"): 350,
}
# (workload, runner): at most FACTOR times what OTHER needs.
RATIO_AIMS = {
    ("forkwait", "tandem-vmx-shadow"): ("kvm-shadow", 0.5),
    ("boot", "tandem-vmx-shadow"): (BARE, 1.5),
    ("boot", "tandem-vmx-ept"): (BARE, 1.03),
    ("boot", "tandem-bt"): (BARE, 1.4),
    ("forkwait", "tandem-bt"): (BARE, 2.5),
    ("compile", "tandem-bt"): (BARE, 1.15),
    ("compute", "tandem-bt"): (BARE, 1.02),
    ("cpuid", "tandem-vmx-ept"): ("kvm-ept", 0.25),
}
# Of every row the best of these is to be below the best of those.
OURS = ("tandem-vmx-ept", "tandem-vmx-shadow", "tandem-bt")
THEIRS = ("kvm-ept", "kvm-shadow")
