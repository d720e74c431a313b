/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tvm.h - a VM to test the device with, in a few calls.
 *
 * The device is $TANDEM_DEV (default /dev/tandem), so that a test can be tried
 * on /dev/kvm where the ABI is the same. $TANDEM_ENGINE (vmx, bt) and
 * $TANDEM_MMU (ept, shadow) choose for every VM made here.
 *
 * Nothing in here judges: calls return what the kernel returned, -1 and errno
 * as usual; the tests expect and assert.
 */
#ifndef TVM_H
#define TVM_H

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include "../../../../uapi/tandem.h"

#define PAGE 4096UL
#define TVM_MEM (2UL << 20)
/* Where code and its stack go by default. */
#define TVM_CODE 0x1000UL
#define TVM_STACK 0x7000UL
/* The tables tvcpu_long() and tvcpu_pm32() write. */
#define TVM_GDT 0x8000UL
#define TVM_IDT 0x9000UL
#define TVM_PML4 0xa000UL
#define TVM_HANDLERS 0xe000UL

#define CR0_PE 1UL
#define CR0_PG (1UL << 31)
#define CR4_PAE (1UL << 5)
#define EFER_SCE 1UL
#define EFER_LME (1UL << 8)
#define EFER_LMA (1UL << 10)
#define EFER_NX (1UL << 11)
#define RFLAGS_FIXED 2UL
#define RFLAGS_TF (1UL << 8)
#define RFLAGS_IF (1UL << 9)

struct tvm {
	int dev;
	int fd;
	uint8_t *mem;
	size_t size;
	int run_size;
};

struct tvcpu {
	int fd;
	struct kvm_run *run;
};

/*
 * CODE16(name, "instructions"): guest code as data, name to name_end.
 * Likewise for 32- and 64-bit code.
 */
#define TVM_CODE_IN(name, mode, text)					\
	extern const uint8_t name[], name##_end[];			\
	asm(".pushsection .rodata\n.balign 16\n" mode "\n" #name ":\n" text \
	    "\n" #name "_end:\n.code64\n.popsection\n")
#define CODE16(name, text) TVM_CODE_IN(name, ".code16", text)
#define CODE32(name, text) TVM_CODE_IN(name, ".code32", text)
#define CODE64(name, text) TVM_CODE_IN(name, ".code64", text)
#define CODE_LEN(name) ((size_t)(name##_end - name))

const char *tvm_path(void);
bool tvm_is_kvm(void);
int tvm_open(void);
int tvm_cap(int fd, long cap);

#define TVM_IRQCHIP 1 /* flags of tvm_create() */
#define TVM_NO_MEM 2
#define TVM_PIT 4
int tvm_create(struct tvm *vm, unsigned int flags);
void tvm_destroy(struct tvm *vm);
bool tvm_engine_is(struct tvm *vm, uint32_t engine);
int tvm_slot(struct tvm *vm, uint32_t slot, uint32_t flags, uint64_t gpa,
	     uint64_t size, void *hva);
void tvm_load(struct tvm *vm, uint64_t gpa, const void *code, size_t len);

int tvcpu_create(struct tvm *vm, struct tvcpu *v, unsigned long id);
void tvcpu_destroy(struct tvm *vm, struct tvcpu *v);
int tvcpu_cpuid(struct tvm *vm, struct tvcpu *v);
int tvcpu_real(struct tvm *vm, struct tvcpu *v, const void *code, size_t len);
int tvcpu_pm32(struct tvm *vm, struct tvcpu *v, const void *code, size_t len);
int tvcpu_long(struct tvm *vm, struct tvcpu *v, const void *code, size_t len);
int tvcpu_run(struct tvcpu *v);
void tvm_ivt(struct tvm *vm, int vec, uint64_t handler);
void tvm_idt32(struct tvm *vm, int vec, uint64_t handler);
int tvcpu_set_msr(struct tvcpu *v, uint32_t msr, uint64_t value);
int tvcpu_get_msr(struct tvcpu *v, uint32_t msr, uint64_t *value);

/* The first data byte, word or double word of a port exit. */
static inline uint32_t tvcpu_io_data(const struct tvcpu *v)
{
	uint32_t value = 0;

	memcpy(&value, (const char *)v->run + v->run->io.data_offset,
	       v->run->io.size);
	return value;
}

static inline void tvcpu_io_answer(struct tvcpu *v, uint32_t value)
{
	memcpy((char *)v->run + v->run->io.data_offset, &value,
	       v->run->io.size);
}

/* An exit that is a port access of this kind. */
static inline bool tvcpu_is_io(const struct tvcpu *v, int direction, int size,
			       int port)
{
	return v->run->exit_reason == KVM_EXIT_IO &&
	       v->run->io.direction == direction && v->run->io.size == size &&
	       v->run->io.port == port;
}

/* Calls @fn in @seconds unless stopped; for guests that never exit. */
void tvm_kick_after(double seconds);
void tvm_kick_stop(void);

#endif
