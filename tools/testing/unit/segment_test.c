// SPDX-License-Identifier: GPL-2.0-only
/*
 * Segments to the ABI's form and back, for every access-rights value.
 */
#include "arch/x86/emul/port.h"
#include "arch/x86/segment.h"

#include <stdint.h>

#include "emul_ktap.h"

static struct tdm_segment there_and_back(u32 ar)
{
	struct tdm_segment s = {
		.base = 0xffff800012345678ull, .limit = 0xfffffabc, .ar = ar,
		.selector = 0xbeef,
	}, back;
	struct kvm_segment k;

	tdm_segment_to_kvm(&s, &k);
	tdm_segment_from_kvm(&back, &k);
	return back;
}

/* All bits survive; what is not present becomes unusable. */
static bool test_round_trip(void)
{
	const u32 defined = TDM_AR_TYPE | TDM_AR_S | TDM_AR_DPL | TDM_AR_P |
			    TDM_AR_AVL | TDM_AR_L | TDM_AR_DB | TDM_AR_G |
			    TDM_AR_UNUSABLE;
	struct tdm_segment s;
	u32 ar, want;

	for (ar = 0; ar < 0x20000; ar++) {
		if (ar & ~defined)
			continue;
		want = ar;
		if (!(ar & TDM_AR_P) || (ar & TDM_AR_UNUSABLE))
			want = (ar & ~TDM_AR_P) | TDM_AR_UNUSABLE;
		s = there_and_back(ar);
		if (s.ar != want || s.base != 0xffff800012345678ull ||
		    s.limit != 0xfffffabc || s.selector != 0xbeef)
			return false;
	}
	return true;
}

static bool test_fields(void)
{
	struct tdm_segment cs = { .ar = 0xa09b, .limit = 0xffffffff, .selector = 8 };
	struct kvm_segment k;

	tdm_segment_to_kvm(&cs, &k);
	return k.type == 0xb && k.s == 1 && k.dpl == 0 && k.present == 1 &&
	       k.avl == 0 && k.l == 1 && k.db == 0 && k.g == 1 && !k.unusable &&
	       k.selector == 8 && k.limit == 0xffffffff;
}

/* Callers put more than a bit into a field of eight: it must not spill over. */
static bool test_wide_fields(void)
{
	struct kvm_segment k = {
		.type = 0xfb, .s = 0xff, .dpl = 0xff, .present = 0xff, .avl = 0xfe,
		.l = 0xfe, .db = 0xff, .g = 0xfe,
	};
	struct tdm_segment s;

	tdm_segment_from_kvm(&s, &k);
	return s.ar == (0xb | TDM_AR_S | TDM_AR_DPL | TDM_AR_P | TDM_AR_DB);
}

static const struct {
	const char *name;
	bool (*run)(void);
} tests[] = {
	{ "segment.round_trip", test_round_trip },
	{ "segment.fields", test_fields },
	{ "segment.wide_fields", test_wide_fields },
};

int main(void)
{
	unsigned int i;

	ktap_start(ARRAY_SIZE(tests));
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		ktap_result(tests[i].run(), "%s", tests[i].name);
	return ktap_end();
}
