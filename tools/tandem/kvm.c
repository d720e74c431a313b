// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens the device and makes a VM with its in-kernel interrupt controllers,
 * timer and memory. Each refusal is reported with what to do about it.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm.h"
#include "util.h"

struct need {
	unsigned int cap;
	const char *name;
};

/* A device without these cannot run our machine. */
static const struct need needs[] = {
	{ KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY" },
	{ KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP" },
	{ KVM_CAP_PIT2, "KVM_CAP_PIT2" },
	{ KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID" },
	{ KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT" },
};

/** tdm_kvm_open_hint() - what to do when open(@path) failed with @err (positive
 * errno). */
const char *tdm_kvm_open_hint(const char *path, int err)
{
	bool tandem = !strcmp(path, TDM_DEFAULT_DEVICE);

	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return tandem ? "the tandem module is not loaded: run 'sudo make load' (or insmod tandem.ko), then 'tandem check'"
			      : "no driver serves it: load its module (for /dev/kvm: modprobe kvm_intel or kvm_amd)";
	case EACCES:
	case EPERM:
		return "no permission: run as root, or have the administrator give your group access to it";
	case EBUSY:
		return "someone else holds it: 'tandem check' tells who";
	default:
		return "run 'tandem check' for the state of this machine";
	}
}

/** tdm_kvm_cap() - KVM_CHECK_EXTENSION; errors count as "not there". */
int tdm_kvm_cap(int fd, unsigned int cap)
{
	int r = ioctl(fd, KVM_CHECK_EXTENSION, cap);

	return r < 0 ? 0 : r;
}

/**
 * tdm_kvm_open() - open a device and check that it speaks our ABI.
 *
 * Return: 0 or a negative errno, reported; the device is closed then.
 */
int tdm_kvm_open(struct tdm_kvm *kvm, const char *path)
{
	struct stat st;
	int version, err;

	*kvm = (struct tdm_kvm){ .path = path, .fd = -1, .vm = -1 };
	kvm->fd = open(path, O_RDWR | O_CLOEXEC);
	if (kvm->fd < 0) {
		err = -errno;
		tdm_error("cannot open %s: %s; %s", path, strerror(-err),
			  tdm_kvm_open_hint(path, -err));
		return err;
	}
	err = -EINVAL;
	if (fstat(kvm->fd, &st) < 0 || !S_ISCHR(st.st_mode)) {
		tdm_error("%s is not a device", path);
		goto close_device;
	}
	version = ioctl(kvm->fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		tdm_error(
			"%s does not speak the KVM interface, version %d (it says %d)",
			path, KVM_API_VERSION, version);
		goto close_device;
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(needs); i++) {
		if (tdm_kvm_cap(kvm->fd, needs[i].cap) <= 0) {
			tdm_error(
				"%s lacks %s, which the launcher needs; is the module up to date?",
				path, needs[i].name);
			goto close_device;
		}
	}
	kvm->run_size = ioctl(kvm->fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (kvm->run_size < (int)sizeof(struct kvm_run)) {
		tdm_error(
			"%s shares too small a page with its user (%d bytes); is the module up to date?",
			path, kvm->run_size);
		goto close_device;
	}
	return 0;
close_device:
	tdm_kvm_close(kvm);
	return err;
}

/* By default the ABI lets MONITOR and MWAIT pass where CPUID does not have
 * them. */
static void tdm_mwait_as_hardware(struct tdm_kvm *kvm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_DISABLE_QUIRKS2,
		.args[0] = KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS,
	};

	if (tdm_kvm_cap(kvm->vm, KVM_CAP_DISABLE_QUIRKS2) &
	    KVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)
		ioctl(kvm->vm, KVM_ENABLE_CAP, &cap);
}

/**
 * tdm_kvm_create_vm() - make the VM and choose its engine.
 *
 * Return: 0 or a negative errno, reported.
 */
int tdm_kvm_create_vm(struct tdm_kvm *kvm,
		      const struct tdm_engine_choice *choice)
{
	uint64_t identity = TDM_IDENTITY_MAP;
	int err;

	do {
		kvm->vm = ioctl(kvm->fd, KVM_CREATE_VM, 0);
	} while (kvm->vm < 0 && errno == EINTR);
	if (kvm->vm < 0) {
		err = -errno;
		tdm_error(
			"%s makes no VM: %s; run 'tandem check' for the reason and the remedy",
			kvm->path, strerror(-err));
		tdm_engine_explain(kvm, choice->engine);
		return err;
	}
	err = tdm_engine_set(kvm, choice);
	if (err)
		return err;
	tdm_mwait_as_hardware(kvm);
	if (tdm_kvm_cap(kvm->vm, KVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(kvm->vm, KVM_SET_IDENTITY_MAP_ADDR, &identity) < 0) {
		err = -errno;
		tdm_error("KVM_SET_IDENTITY_MAP_ADDR: %s", strerror(-err));
		return err;
	}
	if (tdm_kvm_cap(kvm->vm, KVM_CAP_SET_TSS_ADDR) &&
	    ioctl(kvm->vm, KVM_SET_TSS_ADDR, TDM_TSS_ADDR) < 0) {
		err = -errno;
		tdm_error("KVM_SET_TSS_ADDR: %s", strerror(-err));
		return err;
	}
	return 0;
}

/** tdm_kvm_add_devices() - PIC, IOAPIC, LAPICs and PIT in the kernel; before
 * any vCPU. */
int tdm_kvm_add_devices(struct tdm_kvm *kvm)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	int err;

	if (ioctl(kvm->vm, KVM_CREATE_IRQCHIP, 0) < 0) {
		err = -errno;
		tdm_error(
			"%s makes no interrupt controllers (KVM_CREATE_IRQCHIP): %s",
			kvm->path, strerror(-err));
		return err;
	}
	if (ioctl(kvm->vm, KVM_CREATE_PIT2, &pit) < 0) {
		err = -errno;
		tdm_error("%s makes no timer (KVM_CREATE_PIT2): %s", kvm->path,
			  strerror(-err));
		return err;
	}
	return 0;
}

/** tdm_kvm_add_memory() - give the VM its memory slots. */
int tdm_kvm_add_memory(struct tdm_kvm *kvm, const struct tdm_memory *mem)
{
	struct tdm_slot slots[4];
	unsigned int n = tdm_mem_slots(mem, slots);

	for (unsigned int i = 0; i < n; i++) {
		struct kvm_userspace_memory_region r = {
			.slot = i,
			.flags = slots[i].readonly ? KVM_MEM_READONLY : 0,
			.guest_phys_addr = slots[i].gpa,
			.memory_size = slots[i].size,
			.userspace_addr = (uintptr_t)slots[i].hva,
		};

		if (slots[i].readonly &&
		    !tdm_kvm_cap(kvm->vm, KVM_CAP_READONLY_MEM)) {
			tdm_note(
				"%s knows no read-only memory: the ROM is writable",
				kvm->path);
			r.flags = 0;
		}
		if (ioctl(kvm->vm, KVM_SET_USER_MEMORY_REGION, &r) < 0) {
			int err = -errno;

			tdm_error(
				"%s does not take guest memory 0x%llx-0x%llx: %s",
				kvm->path,
				(unsigned long long)r.guest_phys_addr,
				(unsigned long long)(r.guest_phys_addr +
						     r.memory_size),
				strerror(-err));
			return err;
		}
	}
	return 0;
}

/** tdm_kvm_irq_line() - set a GSI's level; any thread. Return: 0 or a negative
 * errno. */
int tdm_kvm_irq_line(const struct tdm_kvm *kvm, unsigned int gsi, int level)
{
	struct kvm_irq_level irq = { .irq = gsi, .level = (uint32_t)level };

	return ioctl(kvm->vm, KVM_IRQ_LINE, &irq) < 0 ? -errno : 0;
}

/** tdm_kvm_close() - close VM and device; vCPUs are closed before. */
void tdm_kvm_close(struct tdm_kvm *kvm)
{
	if (kvm->vm >= 0)
		close(kvm->vm);
	if (kvm->fd >= 0)
		close(kvm->fd);
	kvm->vm = -1;
	kvm->fd = -1;
}
