// SPDX-License-Identifier: GPL-2.0-only
/*
 * tvm.c - see tvm.h.
 */
#include <sys/time.h>

#include "tvm.h"

const char *tvm_path(void)
{
	const char *path = getenv("TANDEM_DEV");

	return path ? path : "/dev/tandem";
}

/* Is this KVM itself, to try the tests on? */
bool tvm_is_kvm(void)
{
	return !strcmp(tvm_path(), "/dev/kvm");
}

int tvm_open(void)
{
	return open(tvm_path(), O_RDWR | O_CLOEXEC);
}

int tvm_cap(int fd, long cap)
{
	return ioctl(fd, KVM_CHECK_EXTENSION, cap);
}

static uint32_t choice(const char *variable, const char *one, uint32_t value1,
		       const char *two, uint32_t value2)
{
	const char *want = getenv(variable);

	if (!want || !*want || !strcmp(want, "auto"))
		return 0;
	if (!strcmp(want, one))
		return value1;
	if (!strcmp(want, two))
		return value2;
	fprintf(stderr, "%s=%s: not %s or %s\n", variable, want, one, two);
	exit(1);
}

/* Engine and MMU mode by environment; nothing to do without. */
static int set_engine(int fd)
{
	struct tdm_engine_config config = {
		.engine = choice("TANDEM_ENGINE", "vmx", TDM_ENGINE_VMX, "bt",
				 TDM_ENGINE_BT),
		.mmu = choice("TANDEM_MMU", "ept", TDM_MMU_EPT, "shadow",
			      TDM_MMU_SHADOW),
	};

	if (!config.engine && !config.mmu)
		return 0;
	return ioctl(fd, TDM_VM_SET_ENGINE, &config);
}

/* Is this what the VM runs on? */
bool tvm_engine_is(struct tvm *vm, uint32_t engine)
{
	struct tdm_engine_config config;

	return !ioctl(vm->fd, TDM_VM_GET_ENGINE, &config) &&
	       config.engine == engine;
}

int tvm_slot(struct tvm *vm, uint32_t slot, uint32_t flags, uint64_t gpa,
	     uint64_t size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/**
 * tvm_create() - device, VM, 2 MiB of memory at 0
 *
 * Return: 0, or -1 with errno; then nothing is left behind.
 */
int tvm_create(struct tvm *vm, unsigned int flags)
{
	struct kvm_pit_config pit = { 0 };
	int saved;

	*vm = (struct tvm){ .dev = -1, .fd = -1, .mem = MAP_FAILED };
	vm->dev = tvm_open();
	if (vm->dev < 0)
		return -1;
	vm->fd = ioctl(vm->dev, KVM_CREATE_VM, 0UL);
	if (vm->fd < 0 || set_engine(vm->fd))
		goto destroy;
	vm->run_size = ioctl(vm->dev, KVM_GET_VCPU_MMAP_SIZE, 0UL);
	if ((flags & (TVM_IRQCHIP | TVM_PIT)) &&
	    ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0UL))
		goto destroy;
	if ((flags & TVM_PIT) && ioctl(vm->fd, KVM_CREATE_PIT2, &pit))
		goto destroy;
	if (flags & TVM_NO_MEM)
		return 0;
	vm->size = TVM_MEM;
	vm->mem = mmap(NULL, vm->size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (vm->mem == MAP_FAILED || tvm_slot(vm, 0, 0, 0, vm->size, vm->mem))
		goto destroy;
	return 0;
destroy:
	saved = errno;
	tvm_destroy(vm);
	errno = saved;
	return -1;
}

void tvm_destroy(struct tvm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	if (vm->dev >= 0)
		close(vm->dev);
	if (vm->mem != MAP_FAILED)
		munmap(vm->mem, vm->size);
	*vm = (struct tvm){ .dev = -1, .fd = -1, .mem = MAP_FAILED };
}

void tvm_load(struct tvm *vm, uint64_t gpa, const void *code, size_t len)
{
	memcpy(vm->mem + gpa, code, len);
}

int tvcpu_create(struct tvm *vm, struct tvcpu *v, unsigned long id)
{
	v->run = MAP_FAILED;
	v->fd = ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (v->fd < 0)
		return -1;
	v->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      v->fd, 0);
	return v->run == MAP_FAILED ? -1 : 0;
}

void tvcpu_destroy(struct tvm *vm, struct tvcpu *v)
{
	if (v->run != MAP_FAILED)
		munmap(v->run, vm->run_size);
	if (v->fd >= 0)
		close(v->fd);
	v->fd = -1;
	v->run = MAP_FAILED;
}

/* The guest may use all that is supported. */
int tvcpu_cpuid(struct tvm *vm, struct tvcpu *v)
{
	struct {
		struct kvm_cpuid2 head;
		struct kvm_cpuid_entry2 entries[256];
	} table = { .head.nent = 256 };

	if (ioctl(vm->dev, KVM_GET_SUPPORTED_CPUID, &table))
		return -1;
	return ioctl(v->fd, KVM_SET_CPUID2, &table);
}

static int set_regs(struct tvcpu *v, uint64_t rip)
{
	struct kvm_regs regs = {
		.rip = rip,
		.rsp = TVM_STACK,
		.rflags = RFLAGS_FIXED,
	};

	return ioctl(v->fd, KVM_SET_REGS, &regs);
}

/* Real mode, all segments at 0, code at TVM_CODE. */
int tvcpu_real(struct tvm *vm, struct tvcpu *v, const void *code, size_t len)
{
	struct kvm_sregs sregs;

	tvm_load(vm, TVM_CODE, code, len);
	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		return -1;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs))
		return -1;
	return set_regs(v, TVM_CODE);
}

static void flat(struct kvm_segment *seg, int selector, int type, bool is64)
{
	*seg = (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = type,
		.present = 1,
		.db = !is64,
		.s = 1,
		.l = is64,
		.g = 1,
	};
}

/* 8: code, 0x10: data; entries of the IDT by tvm_idt32() or not at all. */
static void tables(struct tvm *vm, struct kvm_sregs *sregs, bool is64)
{
	uint64_t gdt[3] = { 0,
			    is64 ? 0x00af9b000000ffffULL :
				   0x00cf9b000000ffffULL,
			    0x00cf93000000ffffULL };

	memcpy(vm->mem + TVM_GDT, gdt, sizeof(gdt));
	sregs->gdt.base = TVM_GDT;
	sregs->gdt.limit = sizeof(gdt) - 1;
	sregs->idt.base = TVM_IDT;
	sregs->idt.limit = 256 * (is64 ? 16 : 8) - 1;
	flat(&sregs->cs, 8, 0xb, is64);
	flat(&sregs->ds, 0x10, 3, false);
	sregs->es = sregs->ds;
	sregs->fs = sregs->ds;
	sregs->gs = sregs->ds;
	sregs->ss = sregs->ds;
	sregs->tr.type = 0xb;
	sregs->tr.present = 1;
	sregs->tr.s = 0;
	sregs->tr.limit = 0x67;
}

/* 32-bit protected mode, flat, paging off. */
int tvcpu_pm32(struct tvm *vm, struct tvcpu *v, const void *code, size_t len)
{
	struct kvm_sregs sregs;

	tvm_load(vm, TVM_CODE, code, len);
	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		return -1;
	tables(vm, &sregs, false);
	sregs.cr0 |= CR0_PE;
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs))
		return -1;
	return set_regs(v, TVM_CODE);
}

/* 64-bit mode; the first 4 GiB one to one by 2 MiB pages. */
int tvcpu_long(struct tvm *vm, struct tvcpu *v, const void *code, size_t len)
{
	/* PML4, PDPT, one PD for 1 GiB and one for the last GiB. */
	uint64_t *pml4 = (uint64_t *)(vm->mem + TVM_PML4);
	uint64_t *pdpt = pml4 + 512, *pd = pml4 + 1024, *pd3 = pml4 + 1536;
	struct kvm_sregs sregs;

	tvm_load(vm, TVM_CODE, code, len);
	memset(pml4, 0, 4 * PAGE);
	pml4[0] = (TVM_PML4 + PAGE) | 7;
	pdpt[0] = (TVM_PML4 + 2 * PAGE) | 7;
	pdpt[3] = (TVM_PML4 + 3 * PAGE) | 7;
	for (uint64_t i = 0; i < 512; i++) {
		pd[i] = i << 21 | 0x87;
		pd3[i] = 0xc0000000UL | i << 21 | 0x87;
	}
	if (ioctl(v->fd, KVM_GET_SREGS, &sregs))
		return -1;
	tables(vm, &sregs, true);
	sregs.cr0 |= CR0_PE | CR0_PG;
	sregs.cr3 = TVM_PML4;
	sregs.cr4 |= CR4_PAE;
	sregs.efer |= EFER_LME | EFER_LMA;
	if (ioctl(v->fd, KVM_SET_SREGS, &sregs))
		return -1;
	return set_regs(v, TVM_CODE);
}

int tvcpu_run(struct tvcpu *v)
{
	return ioctl(v->fd, KVM_RUN, 0UL);
}

void tvm_ivt(struct tvm *vm, int vec, uint64_t handler)
{
	uint16_t entry[2] = { (uint16_t)handler, 0 };

	memcpy(vm->mem + 4 * vec, entry, sizeof(entry));
}

void tvm_idt32(struct tvm *vm, int vec, uint64_t handler)
{
	uint64_t gate = (handler & 0xffff) | 8UL << 16 | 0x8e00UL << 32 |
			(handler >> 16) << 48;

	memcpy(vm->mem + TVM_IDT + 8 * vec, &gate, sizeof(gate));
}

int tvcpu_set_msr(struct tvcpu *v, uint32_t msr, uint64_t value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} list = { .head.nmsrs = 1, .entry = { .index = msr, .data = value } };

	return ioctl(v->fd, KVM_SET_MSRS, &list);
}

int tvcpu_get_msr(struct tvcpu *v, uint32_t msr, uint64_t *value)
{
	struct {
		struct kvm_msrs head;
		struct kvm_msr_entry entry;
	} list = { .head.nmsrs = 1, .entry = { .index = msr } };
	int got = ioctl(v->fd, KVM_GET_MSRS, &list);

	*value = list.entry.data;
	return got;
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* SIGALRM without SA_RESTART, again and again: no window to miss it in. */
void tvm_kick_after(double seconds)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { 0 };

	sigaction(SIGALRM, &action, NULL);
	timer.it_value.tv_sec = (long)seconds;
	timer.it_value.tv_usec =
		(long)((seconds - (double)timer.it_value.tv_sec) * 1e6);
	timer.it_interval.tv_usec = 100000;
	setitimer(ITIMER_REAL, &timer, NULL);
}

void tvm_kick_stop(void)
{
	struct itimerval timer = { 0 };

	setitimer(ITIMER_REAL, &timer, NULL);
}
