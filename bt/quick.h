/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder and classifier in one for the instructions that most code consists
 * of. Says nothing about the others: then the real ones decide.
 */
#ifndef TDM_BT_QUICK_H
#define TDM_BT_QUICK_H

#include "arch/x86/emul/port.h"

/**
 * struct tdm_bt_quick - what is known of an instruction
 * @rel: displacement of a branch; of a RIP-relative operand
 * @len: bytes
 * @cls: enum tdm_bt_class
 * @opcode: of branches
 * @modrm: offset of ModRM if the operand is RIP-relative, else 0
 * @rex: offset of the REX prefix plus one, 0 without
 */
struct tdm_bt_quick {
	s32 rel;
	u8 len;
	u8 cls;
	u8 opcode;
	u8 modrm;
	u8 rex;
};

bool tdm_bt_quick(struct tdm_bt_quick *q, const u8 *code, unsigned int len);

#endif /* TDM_BT_QUICK_H */
