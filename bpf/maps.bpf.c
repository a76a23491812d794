/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The one object that defines the maps; see maps.h. */
#define CS_MAP

#include "maps.h"

char cs_license[] SEC("license") = "Dual BSD/GPL";
