// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmload.c - VMs of every kind, made, run and left: some closed in order, some
 * by exit, some killed in the middle of a guest. For load_unload.sh.
 *
 * Status 0 when all went as it should.
 */
#include <sys/wait.h>

#include "tvm.h"

CODE16(spin, "1: inc %eax; jmp 1b");
CODE16(outs, "1: inc %eax; out %al, $0x10; jmp 1b");
CODE16(halt, "sti; 1: hlt; jmp 1b");

#define CHECK(what)							\
	do {								\
		if (!(what)) {						\
			fprintf(stderr, "vmload: %s: %s\n", #what,	\
				strerror(errno));			\
			_exit(1);					\
		}							\
	} while (0)

/* One with vCPUs that runs a while and is taken down in order. */
static void in_order(unsigned int flags)
{
	struct tvm vm;
	struct tvcpu v[3];

	CHECK(!tvm_create(&vm, flags));
	for (int i = 0; i < 3; i++)
		CHECK(!tvcpu_create(&vm, &v[i], (unsigned long)i));
	CHECK(!tvcpu_real(&vm, &v[0], outs, CODE_LEN(outs)));
	for (int i = 0; i < 20; i++)
		CHECK(!tvcpu_run(&v[0]) &&
		      tvcpu_is_io(&v[0], KVM_EXIT_IO_OUT, 1, 0x10));
	for (int i = 0; i < 3; i++)
		tvcpu_destroy(&vm, &v[i]);
	tvm_destroy(&vm);
}

/* Never comes back: spins or sleeps in the guest. */
static void for_ever(unsigned int flags, bool asleep)
{
	struct tvm vm;
	struct tvcpu v;

	CHECK(!tvm_create(&vm, flags));
	CHECK(!tvcpu_create(&vm, &v, 0));
	CHECK(!tvcpu_real(&vm, &v, asleep ? halt : spin,
			  asleep ? CODE_LEN(halt) : CODE_LEN(spin)));
	tvcpu_run(&v);
	_exit(1);
}

int main(void)
{
	pid_t child[3];
	int status, failed = 0;

	for (int i = 0; i < 3; i++) {
		child[i] = fork();
		CHECK(child[i] >= 0);
		if (child[i])
			continue;
		if (i < 2)
			for_ever(i ? TVM_IRQCHIP | TVM_PIT : 0, i);
		/* Exits with all of it open. */
		in_order(TVM_IRQCHIP);
		struct tvm vm;
		struct tvcpu v;

		CHECK(!tvm_create(&vm, TVM_IRQCHIP) &&
		      !tvcpu_create(&vm, &v, 0));
		_exit(0);
	}
	in_order(0);
	in_order(TVM_IRQCHIP | TVM_PIT);
	usleep(20000);
	for (int i = 0; i < 2; i++)
		kill(child[i], SIGKILL);
	for (int i = 0; i < 3; i++) {
		if (waitpid(child[i], &status, 0) != child[i])
			failed = 1;
		else if (i < 2 && !(WIFSIGNALED(status) &&
				    WTERMSIG(status) == SIGKILL))
			failed = 1;
		else if (i == 2 && status)
			failed = 1;
	}
	return failed;
}
