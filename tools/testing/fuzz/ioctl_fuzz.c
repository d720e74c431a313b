// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl_fuzz.c - random ioctls on the device, its VMs and vCPUs, from several
 * threads at once, in an emulated host.
 *
 *	ioctl_fuzz DEVICE SECONDS SEED [THREADS]
 *
 * Threads draw calls from the tables below and file descriptors from one pool
 * that all share; arguments are random, or begin as something that works and are
 * then damaged. Guests run small pieces of code, or what is random. All that is
 * judged here is that calls come back; the host's kernel says the rest: an oops,
 * a warning or a hang ends the lab run as failed. One thread and a seed repeat
 * themselves, several do not.
 *
 * Must not: use memory that the fuzzer itself needs as guest memory.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../../uapi/tandem.h"

#define NR_VMS 3
#define NR_VCPUS 4
#define NR_EVENTFDS 4
#define MAX_THREADS 16
#define MEM_SIZE (1UL << 20)
#define ARG_SIZE 8192
#define RUN_SIZE 0x3000UL /* of a vCPU's mapping */

struct vcpu {
	int fd;
	struct kvm_run *run;
};

/* Guest memory: @mem is what guests get and what is unmapped, @own stays. */
struct vm {
	int fd;
	int memfd;
	uint8_t *mem;
	uint8_t *own;
	struct vcpu vcpu[NR_VCPUS];
};

/* Descriptors change under other threads' feet; that is wanted. */
static struct vm vms[NR_VMS];
static int eventfds[NR_EVENTFDS];
static int dev;
static const char *device;
static volatile bool stop;
static pthread_t threads[MAX_THREADS];
static unsigned int nr_threads = 3;
/* Making and ending VMs: one at a time, or mappings are lost. */
static pthread_mutex_t pool = PTHREAD_MUTEX_INITIALIZER;

struct worker {
	uint64_t seed;
	unsigned long calls;
	unsigned long good;
	unsigned long runs;
};

/* ---- random numbers ---- */

static uint64_t rnd(struct worker *w)
{
	w->seed ^= w->seed << 13;
	w->seed ^= w->seed >> 7;
	w->seed ^= w->seed << 17;
	return w->seed;
}

static uint64_t below(struct worker *w, uint64_t n)
{
	return rnd(w) % n;
}

/* Numbers at whose edges mistakes are made. */
static uint64_t number(struct worker *w)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 4, 7, 8, 15, 16, 23, 24, 31, 32, 63, 64, 255, 256,
		0xfff, 0x1000, 0x1001, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0xffffffff, 0x100000000, 0xfee00000, 0xfec00000, 0x7fffffffffffffff,
		0x8000000000000000, 0xfffffffffffff000, 0xffffffffffffffff,
		0x40000001, 0x4b564d01, 0x4b564d03, 0xc0000080,
	};

	switch (below(w, 4)) {
	case 0:
		return edges[below(w, sizeof(edges) / sizeof(edges[0]))];
	case 1:
		return below(w, 40);
	case 2:
		return 1ULL << below(w, 64);
	default:
		return rnd(w);
	}
}

static void scribble(struct worker *w, uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len;) {
		uint64_t v = number(w);
		size_t n = 1UL << below(w, 4);

		if (below(w, 4) == 0)
			n = 16 + below(w, 64), v = 0;
		for (size_t j = 0; j < n && i < len; j++, i++)
			p[i] = (uint8_t)(v >> 8 * (j % 8));
	}
}

static void damage(struct worker *w, uint8_t *p, size_t len)
{
	for (uint64_t n = below(w, 4); n && len; n--) {
		size_t at = below(w, len), width = 1UL << below(w, 4);
		uint64_t v = number(w);

		if (at + width <= len)
			memcpy(p + at, &v, width);
	}
}

/* ---- what calls there are ---- */

enum file { DEV, VM, VCPU };

/**
 * struct call - one ioctl
 * @cmd: number; its size field says how much it moves
 * @file: on which descriptor
 * @name: for the report
 * @fill: makes something that works; NULL: a get first, or scribbles
 * @get: number that reads the same struct
 */
struct call {
	unsigned long cmd;
	enum file file;
	const char *name;
	void (*fill)(struct worker *w, struct vm *vm, void *arg);
	unsigned long get;
};

static void fill_region(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_userspace_memory_region *r = arg;

	r->slot = (uint32_t)below(w, 4);
	r->flags = (uint32_t)below(w, 4);
	r->guest_phys_addr = below(w, 64) * 0x10000;
	r->memory_size = below(w, 3) ? (1 + below(w, 16)) * 0x1000 : 0;
	r->userspace_addr = (uintptr_t)vm->mem + below(w, 128) * 0x1000;
}

static void fill_log(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_clear_dirty_log *l = arg;
	static uint8_t bitmap[MAX_THREADS * ARG_SIZE];

	(void)vm;
	l->slot = (uint32_t)below(w, 4);
	l->num_pages = (uint32_t)below(w, 4) * 64;
	l->first_page = below(w, 2) * 64;
	l->dirty_bitmap = bitmap;
}

static void fill_cap(struct worker *w, struct vm *vm, void *arg)
{
	static const uint32_t caps[] = {
		KVM_CAP_SPLIT_IRQCHIP, KVM_CAP_X2APIC_API, KVM_CAP_MAX_VCPU_ID,
		KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_CAP_X86_USER_SPACE_MSR,
		KVM_CAP_MSR_PLATFORM_INFO, KVM_CAP_EXCEPTION_PAYLOAD,
		KVM_CAP_X86_TRIPLE_FAULT_EVENT, KVM_CAP_DISABLE_QUIRKS2,
		KVM_CAP_X86_DISABLE_EXITS, KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
	};
	struct kvm_enable_cap *c = arg;

	(void)vm;
	memset(c, 0, sizeof(*c));
	c->cap = caps[below(w, sizeof(caps) / sizeof(caps[0]))];
	c->args[0] = below(w, 32);
}

static void fill_routing(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_irq_routing *r = arg;

	(void)vm;
	r->nr = (uint32_t)below(w, 64);
	r->flags = 0;
	for (uint32_t i = 0; i < r->nr; i++) {
		struct kvm_irq_routing_entry *e = &r->entries[i];

		memset(e, 0, sizeof(*e));
		e->gsi = (uint32_t)below(w, 64);
		e->type = (uint32_t)below(w, 3);
		if (e->type == KVM_IRQ_ROUTING_MSI) {
			e->u.msi.address_lo = 0xfee00000 | (uint32_t)below(w, 4) << 12;
			e->u.msi.data = (uint32_t)number(w) & 0xffff;
		} else {
			e->u.irqchip.irqchip = (uint32_t)below(w, 4);
			e->u.irqchip.pin = (uint32_t)below(w, 25);
		}
	}
}

static void fill_irqfd(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_irqfd *f = arg;

	(void)vm;
	memset(f, 0, sizeof(*f));
	f->fd = (uint32_t)eventfds[below(w, NR_EVENTFDS)];
	f->gsi = (uint32_t)below(w, 32);
	f->flags = (uint32_t)below(w, 4);
	f->resamplefd = (uint32_t)eventfds[below(w, NR_EVENTFDS)];
}

static void fill_ioeventfd(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_ioeventfd *f = arg;

	(void)vm;
	memset(f, 0, sizeof(*f));
	f->fd = eventfds[below(w, NR_EVENTFDS)];
	f->flags = (uint32_t)below(w, 8);
	f->addr = f->flags & KVM_IOEVENTFD_FLAG_PIO ? 0x10 + below(w, 4) :
						      0xd0000000 + below(w, 8);
	f->len = below(w, 4) ? 1U << below(w, 4) : 0;
	f->datamatch = below(w, 4);
}

static void fill_msrs(struct worker *w, struct vm *vm, void *arg)
{
	static const uint32_t index[] = {
		0x10, 0x3b, 0x1b, 0x277, 0x2ff, 0x200, 0x174, 0x175, 0x176, 0x1d9,
		0xc0000080, 0xc0000081, 0xc0000082, 0xc0000100, 0xc0000102, 0x6e0,
		0x808, 0x80f, 0x830, 0x4b564d00, 0x4b564d01, 0x4b564d03, 0x11,
		0x12, 0x1a0, 0x17a, 0x400, 0x3a, 0xce, 0xda0,
	};
	struct kvm_msrs *m = arg;

	(void)vm;
	m->nmsrs = (uint32_t)below(w, 16);
	for (uint32_t i = 0; i < m->nmsrs; i++) {
		m->entries[i].index = below(w, 8) ?
			index[below(w, sizeof(index) / sizeof(index[0]))] :
			(uint32_t)number(w);
		m->entries[i].data = number(w);
	}
}

static void fill_filter(struct worker *w, struct vm *vm, void *arg)
{
	static uint8_t bits[0x600];
	struct kvm_msr_filter *f = arg;

	(void)vm;
	memset(f, 0, sizeof(*f));
	f->flags = (uint32_t)below(w, 2);
	for (uint64_t i = below(w, 4); i < 4; i++) {
		f->ranges[i].flags = 1 + (uint32_t)below(w, 3);
		f->ranges[i].nmsrs = 1 + (uint32_t)below(w, 0x100);
		f->ranges[i].base = (uint32_t)number(w);
		f->ranges[i].bitmap = bits;
	}
}

static void fill_cpuid(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_cpuid2 *c = arg;

	(void)vm;
	c->nent = 64;
	if (ioctl(dev, KVM_GET_SUPPORTED_CPUID, c))
		c->nent = (uint32_t)below(w, 64);
}

static void fill_debug(struct worker *w, struct vm *vm, void *arg)
{
	struct kvm_guest_debug *d = arg;

	(void)vm;
	memset(d, 0, sizeof(*d));
	d->control = (uint32_t)rnd(w) & 0x1f0003;
	for (int i = 0; i < 8; i++)
		d->arch.debugreg[i] = i == 7 ? rnd(w) & 0xffff07ff : below(w, 0x20000);
}

#define CALL(cmd, file) { cmd, file, #cmd, NULL, 0 }
#define FILL(cmd, file, fill) { cmd, file, #cmd, fill, 0 }
#define BACK(cmd, get) { cmd, VCPU, #cmd, NULL, get }

static const struct call calls[] = {
	CALL(KVM_GET_API_VERSION, DEV), CALL(KVM_CHECK_EXTENSION, DEV),
	CALL(KVM_GET_VCPU_MMAP_SIZE, DEV), CALL(KVM_GET_SUPPORTED_CPUID, DEV),
	CALL(KVM_GET_EMULATED_CPUID, DEV), CALL(KVM_GET_MSR_INDEX_LIST, DEV),
	CALL(KVM_GET_MSR_FEATURE_INDEX_LIST, DEV), FILL(KVM_GET_MSRS, DEV, fill_msrs),
	CALL(TDM_ENGINE_INFO, DEV), CALL(KVM_X86_GET_MCE_CAP_SUPPORTED, DEV),

	FILL(KVM_SET_USER_MEMORY_REGION, VM, fill_region),
	FILL(KVM_SET_USER_MEMORY_REGION, VM, fill_region),
	FILL(KVM_GET_DIRTY_LOG, VM, fill_log), FILL(KVM_CLEAR_DIRTY_LOG, VM, fill_log),
	FILL(KVM_ENABLE_CAP, VM, fill_cap), CALL(KVM_CHECK_EXTENSION, VM),
	CALL(KVM_SET_NR_MMU_PAGES, VM), CALL(KVM_SET_TSS_ADDR, VM),
	CALL(KVM_SET_IDENTITY_MAP_ADDR, VM), CALL(KVM_SET_BOOT_CPU_ID, VM),
	CALL(KVM_CREATE_IRQCHIP, VM), CALL(KVM_GET_IRQCHIP, VM),
	CALL(KVM_SET_IRQCHIP, VM), CALL(KVM_IRQ_LINE, VM),
	CALL(KVM_IRQ_LINE_STATUS, VM), CALL(KVM_CREATE_PIT2, VM),
	CALL(KVM_GET_PIT2, VM), CALL(KVM_SET_PIT2, VM), CALL(KVM_REINJECT_CONTROL, VM),
	FILL(KVM_SET_GSI_ROUTING, VM, fill_routing), CALL(KVM_SIGNAL_MSI, VM),
	FILL(KVM_IRQFD, VM, fill_irqfd), FILL(KVM_IOEVENTFD, VM, fill_ioeventfd),
	CALL(KVM_REGISTER_COALESCED_MMIO, VM), CALL(KVM_UNREGISTER_COALESCED_MMIO, VM),
	CALL(KVM_GET_CLOCK, VM), CALL(KVM_SET_CLOCK, VM),
	FILL(KVM_X86_SET_MSR_FILTER, VM, fill_filter), CALL(TDM_VM_SET_ENGINE, VM),
	CALL(TDM_VM_GET_ENGINE, VM),

	BACK(KVM_SET_REGS, KVM_GET_REGS), BACK(KVM_SET_SREGS, KVM_GET_SREGS),
	BACK(KVM_SET_SREGS2, KVM_GET_SREGS2), BACK(KVM_SET_FPU, KVM_GET_FPU),
	BACK(KVM_SET_XSAVE, KVM_GET_XSAVE), BACK(KVM_SET_XCRS, KVM_GET_XCRS),
	BACK(KVM_SET_DEBUGREGS, KVM_GET_DEBUGREGS),
	BACK(KVM_SET_VCPU_EVENTS, KVM_GET_VCPU_EVENTS),
	BACK(KVM_SET_MP_STATE, KVM_GET_MP_STATE), BACK(KVM_SET_LAPIC, KVM_GET_LAPIC),
	FILL(KVM_SET_MSRS, VCPU, fill_msrs), FILL(KVM_GET_MSRS, VCPU, fill_msrs),
	FILL(KVM_SET_CPUID2, VCPU, fill_cpuid), CALL(KVM_GET_CPUID2, VCPU),
	CALL(KVM_INTERRUPT, VCPU), CALL(KVM_NMI, VCPU), CALL(KVM_TRANSLATE, VCPU),
	FILL(KVM_SET_GUEST_DEBUG, VCPU, fill_debug), CALL(KVM_SET_TSC_KHZ, VCPU),
	CALL(KVM_X86_SETUP_MCE, VCPU), CALL(KVM_X86_SET_MCE, VCPU),
	CALL(KVM_KVMCLOCK_CTRL, VCPU), FILL(KVM_ENABLE_CAP, VCPU, fill_cap),
	CALL(KVM_SET_VAPIC_ADDR, VCPU), CALL(KVM_HAS_DEVICE_ATTR, VCPU),
	CALL(KVM_GET_DEVICE_ATTR, VCPU), CALL(KVM_SET_DEVICE_ATTR, VCPU),
};

/* ---- guests ---- */

#define PIECE(name, text)						\
	extern const uint8_t name[], name##_end[];			\
	asm(".pushsection .rodata\n.code16\n" #name ":\n" text "\n" #name "_end:\n" \
	    ".code64\n.popsection\n")

PIECE(piece_ports, "mov $9, %cx; 1: in $0x11, %al; out %al, $0x10; loop 1b; hlt");
PIECE(piece_memory, "mov $0x1000, %ax; mov %ax, %ds; 1: incw (%bx); add $0x222, %bx; jmp 1b");
PIECE(piece_flags, "sti; hlt; cli; pushf; popf; int $0x20; iret");
PIECE(piece_system, "mov %cr0, %eax; mov $0x1b, %ecx; rdmsr; cpuid; wrmsr; rdtsc; lmsw %ax");
PIECE(piece_protected, "cli; lgdtl 0x800; mov %cr0, %eax; or $1, %al; mov %eax, %cr0; int3");
PIECE(piece_string, "mov $0x10, %dx; mov $200, %cx; rep outsb; rep insw; hlt");

static void load_guest(struct worker *w, uint8_t *mem)
{
	static const struct {
		const uint8_t *from, *to;
	} pieces[] = {
		{ piece_ports, piece_ports_end },	{ piece_memory, piece_memory_end },
		{ piece_flags, piece_flags_end },	{ piece_system, piece_system_end },
		{ piece_protected, piece_protected_end }, { piece_string, piece_string_end },
	};
	size_t i = below(w, sizeof(pieces) / sizeof(pieces[0]));
	uint8_t *at = mem + below(w, 16) * 0x1000;

	if (below(w, 4))
		memcpy(at, pieces[i].from, (size_t)(pieces[i].to - pieces[i].from));
	else
		scribble(w, at, 0x200);
}

/* ---- the pool ---- */

static void close_vcpu(struct vcpu *v)
{
	int fd = v->fd;

	v->fd = -1;
	if (fd >= 0)
		close(fd);
}

static void remake_vm(struct worker *w, struct vm *vm)
{
	int fd = vm->fd;

	for (int i = 0; i < NR_VCPUS; i++)
		if (below(w, 4))
			close_vcpu(&vm->vcpu[i]);
	vm->fd = ioctl(dev, KVM_CREATE_VM, 0UL);
	if (fd >= 0)
		close(fd);
	if (vm->fd >= 0 && below(w, 2))
		ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0UL);
	if (vm->fd >= 0) {
		struct kvm_userspace_memory_region r = {
			.memory_size = 0x20000,
			.userspace_addr = (uintptr_t)vm->mem,
		};

		ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &r);
	}
}

static void remake_vcpu(struct worker *w, struct vm *vm, struct vcpu *v)
{
	int fd = ioctl(vm->fd, KVM_CREATE_VCPU, below(w, 8) ? below(w, 5) : number(w));

	if (fd < 0)
		return;
	/* In the old one's place: another thread may be looking at it. */
	if (mmap(v->run, RUN_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd,
		 0) == MAP_FAILED) {
		perror("ioctl_fuzz: mmap of a vCPU");
		exit(1);
	}
	close_vcpu(v);
	v->fd = fd;
}

/* Rare deeds that are no ioctl. */
static void disturb(struct worker *w, struct vm *vm)
{
	uint8_t *at = vm->mem + below(w, 252) * 0x1000;
	uint64_t one = number(w);
	pid_t child;

	switch (below(w, 8)) {
	case 0:
		madvise(at, 0x4000, MADV_DONTNEED);
		break;
	case 1:
		mprotect(at, 0x2000, below(w, 2) ? PROT_READ : PROT_READ | PROT_WRITE);
		break;
	case 2:
		mmap(at, 0x1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		     vm->memfd, (off_t)below(w, 256) * 0x1000);
		break;
	case 3:
		/* A child with all descriptors, which it may not use. */
		child = fork();
		if (!child) {
			ioctl(vm->fd, KVM_CREATE_VCPU, 7UL);
			_exit(0);
		}
		if (child > 0)
			waitpid(child, NULL, 0);
		break;
	case 4:
	case 5:
		if (write(eventfds[below(w, NR_EVENTFDS)], &one, sizeof(one)) < 0)
			return;
		break;
	case 6:
		pthread_mutex_lock(&pool);
		close(eventfds[0]);
		eventfds[0] = eventfd(0, EFD_NONBLOCK);
		pthread_mutex_unlock(&pool);
		break;
	default:
		mprotect(vm->mem, MEM_SIZE, PROT_READ | PROT_WRITE);
	}
}

/* ---- one step ---- */

static void run_vcpu(struct worker *w, struct vm *vm, struct vcpu *v)
{
	struct kvm_regs regs = { .rflags = 2, .rip = below(w, 16) * 0x1000, .rsp = 0x1f000 };
	struct kvm_run *run = v->run;

	if (below(w, 2)) {
		load_guest(w, vm->own);
		ioctl(v->fd, KVM_SET_REGS, &regs);
	}
	if (!below(w, 8))
		scribble(w, (uint8_t *)run, below(w, 2) ? 16 : 2048);
	run->immediate_exit = !below(w, 4);
	w->runs++;
	for (uint64_t n = below(w, 6); n < 6 && !stop; n++)
		if (ioctl(v->fd, KVM_RUN, 0UL))
			break;
}

static void one_call(struct worker *w, struct vm *vm, struct vcpu *v)
{
	const struct call *c = &calls[below(w, sizeof(calls) / sizeof(calls[0]))];
	int fds[] = { dev, vm->fd, v->fd };
	static __thread uint8_t arg[ARG_SIZE];
	int fd = fds[c->file], r;

	if (c->fill) {
		c->fill(w, vm, arg);
		damage(w, arg, below(w, 3) ? 0 : 64);
	} else if (c->get && below(w, 4)) {
		ioctl(fd, c->get, arg);
		damage(w, arg, below(w, 4) ? _IOC_SIZE(c->cmd) : 0);
	} else {
		scribble(w, arg, _IOC_SIZE(c->cmd) + 256 < ARG_SIZE ?
			 _IOC_SIZE(c->cmd) + 256 : ARG_SIZE);
	}
	if (_IOC_SIZE(c->cmd) == 0 || !below(w, 32))
		r = ioctl(fd, c->cmd, number(w));
	else
		r = ioctl(fd, c->cmd, arg);
	w->calls++;
	w->good += r >= 0;
}

static void step(struct worker *w)
{
	struct vm *vm = &vms[below(w, NR_VMS)];
	struct vcpu *v = &vm->vcpu[below(w, NR_VCPUS)];
	uint64_t what = below(w, 1000);

	if (what < 4 || vm->fd < 0) {
		pthread_mutex_lock(&pool);
		remake_vm(w, vm);
		pthread_mutex_unlock(&pool);
	} else if (what < 24 || v->fd < 0) {
		pthread_mutex_lock(&pool);
		remake_vcpu(w, vm, v);
		pthread_mutex_unlock(&pool);
	} else if (what < 200) {
		run_vcpu(w, vm, v);
	} else if (what < 220) {
		disturb(w, vm);
	} else {
		one_call(w, vm, v);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!stop)
		step(w);
	return NULL;
}

static void on_signal(int sig)
{
	(void)sig;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct worker workers[MAX_THREADS] = { 0 };
	unsigned long calls_made = 0, good = 0, runs = 0;
	unsigned int seconds;
	uint64_t seed;

	if (argc < 4) {
		fprintf(stderr, "usage: ioctl_fuzz DEVICE SECONDS SEED [THREADS]\n");
		return 2;
	}
	device = argv[1];
	seconds = (unsigned int)atoi(argv[2]);
	seed = strtoull(argv[3], NULL, 0);
	if (argc > 4)
		nr_threads = (unsigned int)atoi(argv[4]);
	if (!nr_threads || nr_threads > MAX_THREADS)
		nr_threads = 3;
	sigaction(SIGUSR1, &action, NULL);
	dev = open(device, O_RDWR | O_CLOEXEC);
	if (dev < 0) {
		perror(device);
		return 1;
	}
	for (int i = 0; i < NR_EVENTFDS; i++)
		eventfds[i] = eventfd(0, EFD_NONBLOCK);
	for (int i = 0; i < NR_VMS; i++) {
		vms[i].fd = -1;
		for (int j = 0; j < NR_VCPUS; j++) {
			vms[i].vcpu[j].fd = -1;
			vms[i].vcpu[j].run = mmap(NULL, RUN_SIZE, PROT_READ | PROT_WRITE,
						  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		}
		vms[i].memfd = memfd_create("guest", MFD_CLOEXEC);
		if (vms[i].memfd < 0 || ftruncate(vms[i].memfd, MEM_SIZE)) {
			perror("memfd");
			return 1;
		}
		vms[i].mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				  vms[i].memfd, 0);
		vms[i].own = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
				  vms[i].memfd, 0);
		if (vms[i].mem == MAP_FAILED || vms[i].own == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
	}
	for (unsigned int i = 0; i < nr_threads; i++) {
		workers[i].seed = (seed + i + 1) * 0x9e3779b97f4a7c15ULL | 1;
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	/* Guests that loop are interrupted twenty times a second. */
	for (unsigned int tick = 0; tick < seconds * 20; tick++) {
		usleep(50000);
		for (unsigned int i = 0; i < nr_threads; i++)
			pthread_kill(threads[i], SIGUSR1);
	}
	stop = true;
	for (unsigned int i = 0; i < nr_threads; i++) {
		/* A thread that has seen stop may still enter a guest. */
		while (pthread_tryjoin_np(threads[i], NULL)) {
			pthread_kill(threads[i], SIGUSR1);
			usleep(10000);
		}
		calls_made += workers[i].calls;
		good += workers[i].good;
		runs += workers[i].runs;
	}
	printf("seed %#llx: %lu calls, %lu of them good, %lu runs\n",
	       (unsigned long long)seed, calls_made, good, runs);
	/* A fuzzer whose every call is refused at the door tests nothing. */
	return calls_made > 100 && good * 10 > calls_made && runs ? 0 : 1;
}
