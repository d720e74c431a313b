/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of struct tdm_emul_op.arg that tell the members of a handler family
 * apart.
 */
#ifndef TDM_EMUL_TABLE_H
#define TDM_EMUL_TABLE_H

enum { ALU_ADD, ALU_ADC, ALU_SUB, ALU_SBB, ALU_CMP, ALU_AND, ALU_OR, ALU_XOR };
enum { UNARY_INC, UNARY_DEC, UNARY_NEG, UNARY_NOT };
/* The first three set SF, ZF and PF. */
enum { SHIFT_SHL, SHIFT_SHR, SHIFT_SAR, SHIFT_ROL, SHIFT_ROR, SHIFT_RCL, SHIFT_RCR };
enum { SHIFTD_LEFT, SHIFTD_RIGHT };
enum { BCD_ADD, BCD_SUB };
enum { FLAG_CLC, FLAG_STC, FLAG_CMC, FLAG_CLD, FLAG_STD };
enum { BT_TEST, BT_SET, BT_RESET, BT_COMPLEMENT };
enum { BLS_I, BLS_R, BLS_MSK };
enum { PDEP_DEPOSIT, PDEP_EXTRACT };

#define LOOP_ALWAYS	16	/* no condition code */
#define FSBASE_WRITE	0x100	/* with the segment in the low byte */

#endif /* TDM_EMUL_TABLE_H */
