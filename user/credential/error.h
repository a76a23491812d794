/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of this room, beside credential_fail(). */
#pragma once

#include "user/credential/svid.h"

/*
 * What OpenSSL says of its last failure, for a message; forgets it. Valid until the next
 * call in this thread.
 */
const char *credential_openssl_reason(void);
