/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Values of struct tdm_emul_op.arg that tell the members of a handler family
 * apart.
 */
#ifndef TDM_EMUL_TABLE_H
#define TDM_EMUL_TABLE_H

enum { ALU_ADD, ALU_ADC, ALU_SUB, ALU_SBB, ALU_CMP, ALU_AND, ALU_OR, ALU_XOR };
enum { UNARY_INC, UNARY_DEC, UNARY_NEG, UNARY_NOT };
enum { FLAG_CLC, FLAG_STC, FLAG_CMC, FLAG_CLD, FLAG_STD };
enum { BT_TEST, BT_SET, BT_RESET, BT_COMPLEMENT };

#endif /* TDM_EMUL_TABLE_H */
