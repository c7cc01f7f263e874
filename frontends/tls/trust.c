/* SPDX-License-Identifier: BSD-2-Clause */
/* trust.c - keys and certificates, and the handshake with them. TLS 1.3 only. */
#include "tls.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define HANDSHAKE_MS 10000u

/* Each connection has a key of its own besides: what was sent stays secret when the file does not. */
static const char with_keys[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:-KX-ALL:+ECDHE-PSK:+DHE-PSK";
static const char with_certificates[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

/* Sentences as a part of a message. */
static const char *as_words(const char *text, char words[static TLS_WORDS_SIZE])
{
    (void)snprintf(words, TLS_WORDS_SIZE, "%s", text);
    size_t length = strlen(words);
    while (length > 0 && (words[length - 1u] == '.' || words[length - 1u] == ' '))
        words[--length] = '\0';
    /* Not of a short name in capitals. */
    if (length > 1u && isupper((unsigned char)words[1]) == 0)
        words[0] = (char)tolower((unsigned char)words[0]);
    return words;
}

const char *tls_cause(gnutls_session_t session, int problem, char words[static TLS_WORDS_SIZE])
{
    const char *text = problem == GNUTLS_E_FATAL_ALERT_RECEIVED ? gnutls_alert_get_name(gnutls_alert_get(session))
                                                                : gnutls_strerror(problem);
    return as_words(text != NULL ? text : "it refused", words);
}

/* ---- what is read from files ---- */

static enum tm_exit cannot_use(const char *path, int problem)
{
    char words[TLS_WORDS_SIZE];
    return tm_fail(problem == GNUTLS_E_FILE_ERROR ? TM_EXIT_NOT_FOUND : TM_EXIT_FAILED,
                   "cannot use %s: %s (is it in the form that certtool writes, PEM?)", path,
                   as_words(gnutls_strerror(problem), words));
}

static enum tm_exit load_certificates(struct tls_trust *trust)
{
    enum tm_exit code = tls_secret_check(trust->key);
    if (code != TM_EXIT_OK)
        return code;
    int problem = gnutls_certificate_allocate_credentials(&trust->certificates);
    if (problem < 0)
        return cannot_use(trust->ca, problem);
    problem = gnutls_certificate_set_x509_trust_file(trust->certificates, trust->ca, GNUTLS_X509_FMT_PEM);
    if (problem <= 0) /* how many there were */
        return cannot_use(trust->ca, problem == 0 ? GNUTLS_E_NO_CERTIFICATE_FOUND : problem);
    problem = gnutls_certificate_set_x509_key_file(trust->certificates, trust->certificate, trust->key,
                                                   GNUTLS_X509_FMT_PEM);
    return problem < 0 ? cannot_use(trust->certificate, problem) : TM_EXIT_OK;
}

/* Asked by GnuTLS in a handshake: so a key that is new in the file counts at once. */
static int find_key(gnutls_session_t session, const char *identity, gnutls_datum_t *bytes)
{
    const struct tls_trust *trust = gnutls_session_get_ptr(session);
    struct tls_key key;
    if (tls_key_read(trust->psk, identity, &key) != TM_EXIT_OK || key.identity == NULL)
        return -1;
    *bytes = key.bytes;
    key.bytes.data = NULL; /* it is GnuTLS's now */
    tls_key_free(&key);
    return 0;
}

static enum tm_exit load_keys(struct tls_trust *trust, bool is_server)
{
    struct tls_key key;
    enum tm_exit code = tls_key_read(trust->psk, NULL, &key);
    if (code != TM_EXIT_OK)
        return code;
    int problem = 0;
    if (key.identity == NULL) {
        code = tm_fail(TM_EXIT_FAILED, "%s: there is no key in it (try: psktool -u NAME -p FILE)", trust->psk);
    } else if (is_server) {
        problem = gnutls_psk_allocate_server_credentials(&trust->psk_server);
        if (problem == 0)
            gnutls_psk_set_server_credentials_function(trust->psk_server, find_key);
    } else {
        problem = gnutls_psk_allocate_client_credentials(&trust->psk_client);
        if (problem == 0)
            problem = gnutls_psk_set_client_credentials(trust->psk_client, key.identity, &key.bytes,
                                                        GNUTLS_PSK_KEY_RAW);
    }
    tls_key_free(&key);
    return problem == 0 ? code : cannot_use(trust->psk, problem);
}

enum tm_exit tls_trust_load(struct tls_trust *trust, bool is_server)
{
    bool has_all = trust->certificate != NULL && trust->key != NULL && trust->ca != NULL;
    bool has_any = trust->certificate != NULL || trust->key != NULL || trust->ca != NULL;
    if (trust->psk != NULL ? has_any : !has_all)
        return tm_fail(TM_EXIT_USAGE, "how do the two ends know each other? (give either --psk, or all of "
                                      "--certificate, --key and --ca)");
    return trust->psk != NULL ? load_keys(trust, is_server) : load_certificates(trust);
}

void tls_trust_free(struct tls_trust *trust)
{
    if (trust->psk_client != NULL)
        gnutls_psk_free_client_credentials(trust->psk_client);
    if (trust->psk_server != NULL)
        gnutls_psk_free_server_credentials(trust->psk_server);
    if (trust->certificates != NULL)
        gnutls_certificate_free_credentials(trust->certificates);
}

/* ---- the handshake ---- */

static int prepare(const struct tls_trust *trust, gnutls_session_t session, int descriptor, const char *host)
{
    int problem = gnutls_priority_set_direct(session, trust->psk != NULL ? with_keys : with_certificates, NULL);
    if (problem == 0 && trust->psk_client != NULL)
        problem = gnutls_credentials_set(session, GNUTLS_CRD_PSK, trust->psk_client);
    else if (problem == 0 && trust->psk_server != NULL)
        problem = gnutls_credentials_set(session, GNUTLS_CRD_PSK, trust->psk_server);
    else if (problem == 0)
        problem = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, trust->certificates);
    if (trust->certificates != NULL) {
        gnutls_session_set_verify_cert(session, host, 0);
        if (host == NULL)
            gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
    }
    /* find_key() reads it only. */
    gnutls_session_set_ptr(session, (void *)(uintptr_t)trust);
    gnutls_transport_set_int(session, descriptor);
    gnutls_handshake_set_timeout(session, HANDSHAKE_MS);
    return problem;
}

static enum tm_exit refuse(const struct tls_trust *trust, gnutls_session_t session, int problem, const char *peer)
{
    char words[TLS_WORDS_SIZE];
    gnutls_datum_t text;
    if (problem == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR &&
        gnutls_certificate_verification_status_print(gnutls_session_get_verify_cert_status(session), GNUTLS_CRT_X509,
                                                     &text, 0) == 0) {
        enum tm_exit code = tm_fail(TM_EXIT_DENIED, "the certificate of %s: %s", peer,
                                    as_words((const char *)text.data, words));
        gnutls_free(text.data);
        return code;
    }
    return tm_fail(TM_EXIT_DENIED, "no agreement with %s: %s (%s)", peer,
                   tls_cause(session, problem, words),
                   trust->psk != NULL ? "have both ends the same key, and --psk?"
                                      : "have both ends certificates that the other's --ca signed?");
}

enum tm_exit tls_begin(const struct tls_trust *trust, int descriptor, const char *host, const char *peer,
                       gnutls_session_t *session)
{
    unsigned kind = host == NULL ? GNUTLS_SERVER | GNUTLS_NO_TICKETS : GNUTLS_CLIENT;
    int problem = gnutls_init(session, kind | GNUTLS_NO_SIGNAL);
    if (problem < 0)
        return tm_fail(TM_EXIT_FAILED, "cannot begin with %s: %s", peer, gnutls_strerror(problem));
    problem = prepare(trust, *session, descriptor, host);
    if (problem == 0) {
        do {
            problem = gnutls_handshake(*session);
        } while (problem < 0 && gnutls_error_is_fatal(problem) == 0);
    }
    if (problem == 0)
        return TM_EXIT_OK;
    enum tm_exit code = refuse(trust, *session, problem, peer);
    (void)gnutls_alert_send_appropriate(*session, problem);
    gnutls_deinit(*session);
    return code;
}
