/* SPDX-License-Identifier: BSD-2-Clause */
/* scrape_none.c - scrape.h for a build without libmicrohttpd: whoever wants metrics is told so. */
#include "daemon/scrape.h"

#include "daemon/log.h"

struct tm_scrape *tm_scrape_create(const struct tm_daemon *daemon)
{
    if (tm_config_of(daemon)->metrics_address.text[0] != '\0' || tm_config_of(daemon)->metrics_socket[0] != '\0')
        tm_log("no metrics are served: this build lacks libmicrohttpd (see [metrics] in the configuration)");
    return NULL;
}

void tm_scrape_destroy(struct tm_scrape *scrape)
{
    (void)scrape;
}
