// SPDX-License-Identifier: GPL-2.0-only
/*
 * The stack: pushing and popping values. The instructions are in op_stack.c.
 *
 * The width of the stack pointer is that of SS (or 64 bits), not that of the
 * instruction; offsets wrap within it.
 */
#include "internal.h"

/**
 * emul_stack_size() - width of the stack pointer
 * @c: context
 *
 * Return: 2, 4 or 8 bytes.
 */
unsigned int emul_stack_size(struct tdm_emul_ctxt *c)
{
	if (emul_long64(c))
		return 8;
	return emul_seg(c, TDM_SEG_SS)->ar & TDM_AR_DB ? 4 : 2;
}

/**
 * emul_push() - push a value
 * @c: context
 * @val: value
 * @size: bytes
 *
 * Return: enum tdm_emul_rc; RSP is moved only on success.
 */
int emul_push(struct tdm_emul_ctxt *c, u64 val, unsigned int size)
{
	unsigned int width = emul_stack_size(c);
	u64 sp = (emul_gpr(c, TDM_RSP, width) - size) & emul_mask(width);
	int rc = emul_write_seg(c, TDM_SEG_SS, sp, &val, size);

	if (!rc)
		emul_set_gpr(c, TDM_RSP, width, sp);
	return rc;
}

/**
 * emul_pop() - pop a value
 * @c: context
 * @val: result, zero-extended
 * @size: bytes
 *
 * Return: enum tdm_emul_rc; RSP is moved only on success.
 */
int emul_pop(struct tdm_emul_ctxt *c, u64 *val, unsigned int size)
{
	unsigned int width = emul_stack_size(c);
	u64 sp = emul_gpr(c, TDM_RSP, width);
	int rc;

	*val = 0;
	rc = emul_read_seg(c, TDM_SEG_SS, sp, val, size);
	if (!rc)
		emul_set_gpr(c, TDM_RSP, width, sp + size);
	return rc;
}

/**
 * emul_push_many() - push several values, all or none
 * @c: context
 * @vals: values, the first is pushed first
 * @n: how many
 * @size: bytes of each
 *
 * Return: enum tdm_emul_rc; nothing is written unless all can be.
 */
int emul_push_many(struct tdm_emul_ctxt *c, const u64 *vals, unsigned int n,
		   unsigned int size)
{
	unsigned int width = emul_stack_size(c);
	u64 sp = emul_gpr(c, TDM_RSP, width);
	unsigned int i;
	u64 lin;
	int rc = TDM_EMUL_DONE;

	for (i = 0; i < n && !rc; i++) {
		sp = (sp - size) & emul_mask(width);
		rc = emul_linear(c, TDM_SEG_SS, sp, size, TDM_ACC_WRITE, &lin);
		if (!rc)
			rc = emul_probe_lin(c, lin, size, TDM_ACC_WRITE);
	}
	for (i = 0; i < n && !rc; i++)
		rc = emul_push(c, vals[i], size);
	return rc;
}

/**
 * emul_release() - take parameters off the stack
 * @c: context
 * @bytes: how many
 */
void emul_release(struct tdm_emul_ctxt *c, unsigned int bytes)
{
	unsigned int width = emul_stack_size(c);

	emul_set_gpr(c, TDM_RSP, width, emul_gpr(c, TDM_RSP, width) + bytes);
}
