/* SPDX-License-Identifier: GPL-2.0-only */
/* Checks of what bt/tu.h promises of every fragment, whatever the guest's code. */
#ifndef BT_FORM_H
#define BT_FORM_H

#include "arch/x86/emul/port.h"
#include "bt/tu.h"

/**
 * bt_bad_form() - is a fragment as it must be?
 * @tr: after a successful tdm_bt_translate()
 *
 * Return: NULL, or what is wrong.
 */
const char *bt_bad_form(const struct tdm_bt_tr *tr);

#endif /* BT_FORM_H */
