/* SPDX-License-Identifier: BSD-2-Clause */
/* control_activity.h - what a client does and what is done to it, for the verbs `list` and `latency`. */
#ifndef TM_DAEMON_CONTROL_ACTIVITY_H
#define TM_DAEMON_CONTROL_ACTIVITY_H

#include <jansson.h>

#include "daemon/tenant.h"

/* Of a tenant that is held; a new reference. NULL: no memory. */
json_t *tm_control_activity(const struct tm_tenant *tenant);

#endif
