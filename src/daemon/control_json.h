/* SPDX-License-Identifier: BSD-2-Clause */
/* control_json.h - the library's statistics as objects of JSON. Each is a new reference; NULL: no memory. */
#ifndef TM_DAEMON_CONTROL_JSON_H
#define TM_DAEMON_CONTROL_JSON_H

#include <jansson.h>

#include "daemon/daemon.h"

/* JSON's readers take integers up to 2^63 - 1. */
json_int_t tm_json_number(uint64_t value);

/* A number of which UINT64_MAX means none: null. */
json_t *tm_json_limit(uint64_t value);

/* @with behind @object's members; both are consumed, and may be NULL. */
json_t *tm_json_joined(json_t *object, json_t *with);

/* By which a client's process claims it: 16 bytes, as hexadecimal digits. */
json_t *tm_json_of_token(const unsigned char token[16]);

json_t *tm_json_of_counters(const struct tmem_counters *counters);
json_t *tm_json_of_pool(const struct tmem_pool_stats *stats);
json_t *tm_json_of_client(const struct tmem_client_stats *stats);
json_t *tm_json_of_store(const struct tmem_store_stats *stats);

#endif
