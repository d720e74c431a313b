// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zydis' decoder as one object of the module.
 *
 * The sources are fetched at build time and are not ours. Pulling them in from
 * here keeps the kernel's own checks (W=1, kernel-doc, sparse) to our code and
 * leaves no build products among the fetched files. Found on the include path
 * that Kbuild.inc sets.
 */
#include "Decoder.c"
#include "DecoderData.c"
#include "MetaInfo.c"
#include "Mnemonic.c"
#include "Register.c"
#include "Segment.c"
#include "SharedData.c"
#include "Utils.c"
