/* SPDX-License-Identifier: Apache-2.0 */
/* What people write beside a change: one short line. */
#pragma once

#include "user/base/util.h"

#define NOTE_MAX 256 /* bytes */
#define NOTE_EXPECTED "at most 256 bytes of printable text on one line"

/* Whether @text is short and holds no control characters, C1 ones in UTF-8 neither. */
static inline bool note_is_fine(const char *text)
{
	if (strlen(text) > NOTE_MAX)
		return false;
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p < ' ' || *p == 0x7f || (p[0] == 0xc2 && p[1] >= 0x80 && p[1] < 0xa0))
			return false;
	return true;
}
