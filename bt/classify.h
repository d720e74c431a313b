/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the translator does with each instruction of 64-bit guest kernel code.
 * Documentation/bt-translator.rst has the list.
 */
#ifndef TDM_BT_CLASSIFY_H
#define TDM_BT_CLASSIFY_H

#include "arch/x86/emul/port.h"
#include "arch/x86/insn.h"

/**
 * enum tdm_bt_class - how an instruction is translated
 * @TDM_BTC_CALLOUT: the monitor does it; the default, for all that is unknown
 * @TDM_BTC_STOP: the same, and control does not simply go on: ends the TU
 * @TDM_BTC_IDENT: copied; a RIP-relative operand is replaced
 * @TDM_BTC_IDENT_STOP: copied; never goes on (UD2)
 * @TDM_BTC_LEA: copied; RIP-relative: a constant
 * @TDM_BTC_JMP, @TDM_BTC_JCC, @TDM_BTC_LOOP, @TDM_BTC_CALL: direct branches
 * @TDM_BTC_RET, @TDM_BTC_JMP_IND, @TDM_BTC_CALL_IND: indirect ones
 * @TDM_BTC_CLI, ...: sequences that use bt_state
 */
enum tdm_bt_class {
	TDM_BTC_CALLOUT,
	TDM_BTC_STOP,
	TDM_BTC_IDENT,
	TDM_BTC_IDENT_STOP,
	TDM_BTC_LEA,
	TDM_BTC_JMP,
	TDM_BTC_JCC,
	TDM_BTC_LOOP,
	TDM_BTC_CALL,
	TDM_BTC_RET,
	TDM_BTC_JMP_IND,
	TDM_BTC_CALL_IND,
	TDM_BTC_CLI,
	TDM_BTC_STI,
	TDM_BTC_PUSHF,
	TDM_BTC_POPF,
	TDM_BTC_SWAPGS,
	TDM_BTC_STAC,
	TDM_BTC_CLAC,
	TDM_BTC_CR_READ,
	TDM_BTC_SREG_READ,
	TDM_BTC_IRET,
	TDM_NR_BTCS
};

/**
 * struct tdm_bt_verdict - result of tdm_bt_classify()
 * @cls: enum tdm_bt_class
 * @op: enum tdm_bt_op of callouts
 */
struct tdm_bt_verdict {
	__u8 cls;
	__u8 op;
};

struct tdm_bt_verdict tdm_bt_classify(const struct tdm_insn *insn,
				      const struct tdm_insn_work *work);

#endif /* TDM_BT_CLASSIFY_H */
