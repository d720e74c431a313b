# SPDX-License-Identifier: GPL-2.0-only
"""Bochs as the machine: the strict one, with VMX and EPT, or without."""
from . import artefacts, directboot

# By machine. A model's features can be changed as QEMU's: MODEL,-vmx,+smap.
DEFAULT_CPU = {
    "vmx": "corei7_haswell_4770",
    "bt": "corei7_haswell_4770,-vmx",
}
# Emulated instructions per guest second. It sets only how fast guest time
# passes; near what the emulator reaches, time-outs in the guest keep their
# meaning.
IPS = 50_000_000
# With a person at the console guest time is held to real time; more of it
# makes the boot shorter.
IPS_INTERACTIVE = 150_000_000
# Of packaged Bochs: Linux hangs in a rep movsb that these models promise to
# be fast.
FSRM_BROKEN = ("corei7_icelake_u", "tigerlake")
# Seconds since 1970 at power-on, the same in each run.
POWER_ON = 946684800
MEMORY_MAX = 2048

_BOCHSRC = """\
config_interface: textconfig
display_library: {display}
memory: guest={memory}, host={memory}
romimage: file={bios}
vgaromimage: file={directory}/rom.bin
optramimage1: file={directory}/blob.bin, address={blob_address:#x}
cpu: model={cpu}, count={smp}, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs={lenient}, msrs={msrs}{features}
clock: sync={sync}, time0={power_on}
vga: realtime=0
com1: enabled=1, {console}
port_e9_hack: enabled=1
ata0: enabled=0
ata1: enabled=0
floppy_bootsig_check: disabled=1
log: {directory}/bochs.log
panic: action=fatal
error: action=report
info: action=report
debug: action=ignore
"""


def _ips(setup):
    return IPS_INTERACTIVE if setup.terminal else IPS


def kernel_options(setup):
    """What the host's kernel must be told of this machine."""
    # Newer models claim a TSC of gigahertz in CPUID, which here counts
    # instructions: guest seconds would pass in no time.
    options = [f"tsc_early_khz={_ips(setup) // 1000}"]
    if setup.emulator == "bochs2.7" and _model(setup.cpu)[0] in FSRM_BROKEN:
        options.append("clearcpuid=fsrm")
    return options


def _model(cpu):
    """(model, "" or what the cpu line says of its features) of --cpu's value."""
    name, *changes = cpu.split(",")
    text = ""
    for sign, option in (("+", "add_features"), ("-", "exclude_features")):
        words = [c[1:] for c in changes if c[:1] == sign]
        if words:
            text += f', {option}="{" ".join(words)}"'
    wrong = [c for c in changes if c[:1] not in ("+", "-")]
    if wrong:
        raise artefacts.cache.Failure(
            f"--cpu {cpu}: {wrong[0]} is neither +feature nor -feature")
    return name, text


def _console(setup):
    if setup.terminal:
        return f"mode=term, dev={setup.terminal}"
    if setup.bare:
        return "mode=file, dev=/dev/stdout"
    return f"mode=file, dev={setup.directory}/console.txt"


def command(setup):
    """Prepare SETUP's directory; (argv, environment) that start the machine."""
    if setup.memory > MEMORY_MAX:
        raise artefacts.cache.Failure(
            f"Bochs has at most {MEMORY_MAX} MB of memory")
    old = setup.emulator == "bochs2.7"
    cpu, features = _model(setup.cpu)
    if old and features:
        raise artefacts.cache.Failure(
            "Bochs 2.7 has no switch for single features; use --emulator "
            "bochs3, or a model that has what you want")
    address = directboot.prepare(setup.directory, setup.memory, setup.image,
                                 setup.header, setup.command_line,
                                 setup.initrd)
    text = _BOCHSRC.format(
        display="term" if old else "nogui", memory=setup.memory,
        bios=artefacts.bios(), directory=setup.directory,
        blob_address=address, cpu=cpu, features=features, smp=setup.smp,
        ips=_ips(setup),
        msrs=artefacts.LAB / "boot/msrs.def",
        # A bare machine is a reference: no register that does not exist.
        lenient=0 if setup.bare else 1,
        sync="slowdown" if setup.terminal else "none",
        power_on=POWER_ON, console=_console(setup))
    if old:
        text += "sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n"
    (setup.directory / "bochsrc").write_text(text)
    argv = ["bochs-bin" if old else str(artefacts.bochs3(setup.hooks)), "-q", "-f",
            str(setup.directory / "bochsrc")]
    if old:
        (setup.directory / "rc").write_text("c\nq\n")
        argv += ["-rc", str(setup.directory / "rc")]
    env = {"TERM": "vt100"}
    if setup.counting:
        env["LD_PRELOAD"] = str(artefacts.no_srand())
    if setup.profile:
        env["TANDEM_PROFILE"] = "1"
    return argv, env
