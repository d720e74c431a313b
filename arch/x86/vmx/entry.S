/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Into the guest and out again: registers, VMLAUNCH/VMRESUME, mitigations.
 *
 * u32 tdm_vmx_run_guest(struct tdm_regs *regs, struct tdm_vmcs *vmcs)
 *
 * Interrupts off, the VMCS current on this CPU. Everything the processor does
 * not save itself is here: general registers but RSP. On the stack at the
 * exit: regs, then the callee-saved registers.
 *
 * The stores after the exit are also the only use of guest values before the
 * mitigations; nothing may branch on them or return before the RSB is filled.
 */
#include <linux/linkage.h>
#include <asm/alternative.h>
#include <asm/asm.h>
#include <asm/cpufeatures.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/unwind_hints.h>
#include <linux/cfi_types.h>
#include <linux/objtool.h>

#include "entry.h"

	.text

SYM_FUNC_START(tdm_vmx_run_guest)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx
	push	%rdi

	cmp	%rsp, VMX_HOST_RSP(%rsi)
	jne	.Lset_host_rsp
.Lhost_rsp_set:
	/* CF: launched before. Moves keep it, and VERW touches only ZF. */
	btl	$0, VMX_LAUNCHED(%rsi)

	mov	REG_RCX(%rdi), %rcx
	mov	REG_RDX(%rdi), %rdx
	mov	REG_RBX(%rdi), %rbx
	mov	REG_RBP(%rdi), %rbp
	mov	REG_RSI(%rdi), %rsi
	mov	REG_R8(%rdi), %r8
	mov	REG_R9(%rdi), %r9
	mov	REG_R10(%rdi), %r10
	mov	REG_R11(%rdi), %r11
	mov	REG_R12(%rdi), %r12
	mov	REG_R13(%rdi), %r13
	mov	REG_R14(%rdi), %r14
	mov	REG_R15(%rdi), %r15
	mov	REG_RAX(%rdi), %rax
	mov	REG_RDI(%rdi), %rdi

	/* Nothing of the host's may stay in the CPU's buffers (MDS and kin). */
	CLEAR_CPU_BUFFERS

	jnc	.Lvmlaunch

	/*
	 * A successful entry comes back at tdm_vmx_exit_point, with the stack
	 * as it is here: tell objtool.
	 */
	UNWIND_HINT_SAVE
.Lvmresume:
	vmresume
	jmp	.Lvmfail

.Lvmlaunch:
	vmlaunch
	jmp	.Lvmfail

	_ASM_EXTABLE(.Lvmresume, .Lvmfault)
	_ASM_EXTABLE(.Lvmlaunch, .Lvmfault)

SYM_INNER_LABEL_ALIGN(tdm_vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push	%rax
	mov	8(%rsp), %rax
	pop	REG_RAX(%rax)
	mov	%rcx, REG_RCX(%rax)
	mov	%rdx, REG_RDX(%rax)
	mov	%rbx, REG_RBX(%rax)
	mov	%rbp, REG_RBP(%rax)
	mov	%rsi, REG_RSI(%rax)
	mov	%rdi, REG_RDI(%rax)
	mov	%r8,  REG_R8(%rax)
	mov	%r9,  REG_R9(%rax)
	mov	%r10, REG_R10(%rax)
	mov	%r11, REG_R11(%rax)
	mov	%r12, REG_R12(%rax)
	mov	%r13, REG_R13(%rax)
	mov	%r14, REG_R14(%rax)
	mov	%r15, REG_R15(%rax)

	xor	%eax, %eax

.Lback:
	/* No guest value may feed speculation; the rest is reloaded below. */
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%r8d, %r8d
	xor	%r9d, %r9d
	xor	%r10d, %r10d
	xor	%r11d, %r11d

	/*
	 * Before the first unbalanced RET: on CPUs that need it the return
	 * stack buffer is filled, IBRS set again, the branch history cleared.
	 */
	add	$8, %rsp
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE
	ALTERNATIVE "jmp .Librs_done", "", X86_FEATURE_KERNEL_IBRS
	mov	%eax, %r8d
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	movq	PER_CPU_VAR(x86_spec_ctrl_current), %rax
	mov	%rax, %rdx
	shr	$32, %rdx
	wrmsr
	mov	%r8d, %eax
.Librs_done:
	CLEAR_BRANCH_HISTORY_VMEXIT

	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lset_host_rsp:
	mov	$VMX_FIELD_HOST_RSP, %eax
	mov	%rsp, VMX_HOST_RSP(%rsi)
	/* Cannot fail: the field exists and the VMCS is current; if VMX is off, the entry faults. */
.Lwrite_rsp:
	vmwrite	%rsp, %rax
	jmp	.Lhost_rsp_set
	_ASM_EXTABLE(.Lwrite_rsp, .Lhost_rsp_set)

.Lvmfail:
	mov	$VMX_RUN_FAILED, %eax
	jmp	.Lback

.Lvmfault:
	mov	$VMX_RUN_FAULTED, %eax
	jmp	.Lback
SYM_FUNC_END(tdm_vmx_run_guest)
