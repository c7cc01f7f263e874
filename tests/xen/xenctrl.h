/* SPDX-License-Identifier: BSD-2-Clause */
/* xenctrl.h - a daemon with two domains, for the tests of each year's control calls. */
#ifndef TMEM_TEST_XEN_XENCTRL_H
#define TMEM_TEST_XEN_XENCTRL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "tests/xen/world.h"

#define PAGES 10u

/* Domains 7, with an ephemeral and a persistent pool, and 12, with a persistent one; PAGES pages in each. */
extern struct xen_guest *domain_7, *domain_12;
extern struct xen_world xenctrl_world;

/* Of each test. TMEM_TEST_URI names the daemon; its control socket lies beside it. */
int xenctrl_set_up(void **state);
int xenctrl_tear_down(void **state);

#endif
