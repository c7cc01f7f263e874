/* SPDX-License-Identifier: BSD-2-Clause */
/* tls.c - tmem-tls, a program of its own, through which `migrate` and `receive` reach other hosts. */
#include "cli/move.h"

bool tm_cli_is_tls(const struct tm_cli_tls *tls)
{
    return tls->psk != NULL || tls->certificate != NULL || tls->key != NULL || tls->ca != NULL;
}

enum tm_exit tm_cli_run_tls(const struct tm_cli_tls *tls, const char *const *words)
{
    const char *const options[][2] = {
        {"--psk", tls->psk}, {"--certificate", tls->certificate}, {"--key", tls->key}, {"--ca", tls->ca}};
    const char *arguments[2u * TM_ARRAY_SIZE(options) + TM_CLI_TLS_WORDS + 4u] = {"tls"};
    size_t count = 1;
    for (size_t i = 0; i < TM_ARRAY_SIZE(options); i++) {
        if (options[i][1] == NULL)
            continue;
        arguments[count++] = options[i][0];
        arguments[count++] = options[i][1];
    }
    if (tls->forever)
        arguments[count++] = "--forever";
    arguments[count++] = "--";
    for (size_t i = 0; i < TM_CLI_TLS_WORDS && words[i] != NULL; i++)
        arguments[count++] = words[i];
    /* execv() does not write to them. */
    enum tm_exit code = tm_cli_run_program((char **)(uintptr_t)arguments);
    if (code != TM_EXIT_USAGE)
        return code;
    return tm_fail(TM_EXIT_NOT_FOUND, "the program tmem-tls is not installed (this build left it out: it needs GnuTLS "
                                      "at build time; try: ssh:HOST)");
}
