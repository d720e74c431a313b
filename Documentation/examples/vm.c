// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtual machine with bare ioctls, on /dev/tandem or /dev/kvm.
 *
 *	cc -O2 -o vm vm.c && sudo ./vm [DEVICE]
 *
 * The guest is 16-bit code at address 0x1000. It prints a line through port
 * 0x3f8, squares a number with the help of a device in memory that this
 * program plays, prints the result, and halts. Exit status 0: all as it should
 * be; 1: it was not, stderr says why.
 *
 * Beware: KVM_RUN leaves with what the guest did half done. What this program
 * answers (run->mmio.data) reaches the guest with the next KVM_RUN.
 */
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MEM_SIZE	0x10000		/* guest memory: 64 KiB at address 0 */
#define CODE		0x1000
#define PORT		0x3f8
#define DEVICE		0xd0000		/* "squarer": write a number, read its square */

extern const uint8_t guest[], guest_end[];
asm(".pushsection .rodata\n"
    ".code16\n"
    "guest:\n"
    "	mov $(0x1000 + text - guest), %si\n"
    "	mov $(text_end - text), %cx\n"
    "	mov $0x3f8, %dx\n"
    "	cld\n"
    "	rep outsb\n"			/* KVM_EXIT_IO */
    "	mov $0xd000, %ax\n"
    "	mov %ax, %ds\n"
    "	movw $12, 0\n"			/* KVM_EXIT_MMIO, a write */
    "	mov 0, %ax\n"			/* KVM_EXIT_MMIO, a read */
    "	mov $100, %bl\n"
    "	div %bl\n"			/* hundreds to AL, the rest to AH */
    "	mov %ah, %bh\n"
    "	add $'0', %al\n"
    "	out %al, %dx\n"
    "	mov %bh, %al\n"
    "	aam\n"				/* tens to AH, ones to AL */
    "	add $0x3030, %ax\n"
    "	xchg %al, %ah\n"
    "	out %al, %dx\n"
    "	mov %ah, %al\n"
    "	out %al, %dx\n"
    "	mov $'\\n', %al\n"
    "	out %al, %dx\n"
    "	hlt\n"				/* KVM_EXIT_HLT */
    "text: .ascii \"Hello from the guest: 12 * 12 = \"\n"
    "text_end:\n"
    "guest_end:\n"
    ".code64\n"
    ".popsection\n");

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* An ioctl that must not fail. */
static int call(int fd, unsigned long number, void *arg, const char *name)
{
	int r = ioctl(fd, number, arg);

	if (r < 0)
		die(name);
	return r;
}
#define CALL(fd, number, arg) call(fd, number, (void *)(arg), #number)

static int make_vm(int dev)
{
	struct kvm_userspace_memory_region region = {
		.memory_size = MEM_SIZE,	/* slot 0, at guest address 0 */
	};
	int vm = CALL(dev, KVM_CREATE_VM, 0);
	uint8_t *mem;

	/* Ordinary memory of this process: it may be swapped, shared, a file. */
	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (mem == MAP_FAILED)
		die("mmap");
	memcpy(mem + CODE, guest, guest_end - guest);
	region.userspace_addr = (uintptr_t)mem;
	CALL(vm, KVM_SET_USER_MEMORY_REGION, &region);
	return vm;
}

/* A CPU comes up at the reset vector: have it start at CODE instead. */
static int make_vcpu(int vm)
{
	struct kvm_regs regs = {
		.rip = CODE,
		.rflags = 2,		/* bit 1 is always set */
	};
	struct kvm_sregs sregs;
	int vcpu = CALL(vm, KVM_CREATE_VCPU, 0);

	CALL(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	CALL(vcpu, KVM_SET_SREGS, &sregs);
	CALL(vcpu, KVM_SET_REGS, &regs);
	return vcpu;
}

static void port(struct kvm_run *run)
{
	const char *data = (const char *)run + run->io.data_offset;

	/* A string instruction may hand over many elements at once. */
	if (run->io.direction == KVM_EXIT_IO_OUT && run->io.port == PORT)
		fwrite(data, run->io.size, run->io.count, stdout);
}

static void device(struct kvm_run *run)
{
	static uint16_t number;

	if (run->mmio.phys_addr != DEVICE || run->mmio.len != 2) {
		fprintf(stderr, "nothing at %#llx\n",
			(unsigned long long)run->mmio.phys_addr);
		exit(1);
	}
	if (run->mmio.is_write) {
		memcpy(&number, run->mmio.data, sizeof(number));
	} else {
		uint16_t square = number * number;

		memcpy(run->mmio.data, &square, sizeof(square));
	}
}

static int run_guest(int vcpu, struct kvm_run *run)
{
	for (;;) {
		CALL(vcpu, KVM_RUN, 0);
		switch (run->exit_reason) {
		case KVM_EXIT_IO:
			port(run);
			break;
		case KVM_EXIT_MMIO:
			device(run);
			break;
		case KVM_EXIT_HLT:
			return 0;
		default:
			fprintf(stderr, "the guest stopped: exit reason %u\n",
				run->exit_reason);
			return 1;
		}
	}
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/tandem";
	int dev = open(path, O_RDWR | O_CLOEXEC);
	struct kvm_run *run;
	int vcpu, size;

	if (dev < 0)
		die(path);
	if (CALL(dev, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		fprintf(stderr, "%s: not the KVM ABI\n", path);
		return 1;
	}
	vcpu = make_vcpu(make_vm(dev));
	size = CALL(dev, KVM_GET_VCPU_MMAP_SIZE, 0);
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap");
	return run_guest(vcpu, run);
}
