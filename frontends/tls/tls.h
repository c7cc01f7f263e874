/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * tls.h - the parts of tmem-tls: where the other end is, how the two know each other, and the bytes between them.
 *
 * Purpose     A client moves to another host (docs/control-protocol.md, `migrate`) over a network that nobody trusts.
 *             The daemons know nothing of TLS: each has a socket, and a tmem-tls passes its bytes on.
 * Invariants  Nothing is passed on before both ends have proved who they are. When one end ends, so does the other,
 *             after it was given what was on its way; a connection that was cut is never taken for one that ended.
 * Who locks   nobody: one thread.
 * Messages    Whatever is not TM_EXIT_OK comes after a message.
 */
#ifndef TM_TLS_H
#define TM_TLS_H

#include "command/command.h"

#include <gnutls/gnutls.h>

/* ---- address.c ---- */

/* HOST:PORT as it was written, and its parts; an IPv6 address stands in brackets. */
struct tls_address {
    const char *text;
    char host[256];
    char port[32];
};

/* tls_address_read - take it apart. @text has to stay. TM_EXIT_OK or TM_EXIT_USAGE. */
enum tm_exit tls_address_read(struct tls_address *address, const char *text);

/* tls_connect - *descriptor becomes a connection, to be closed by the caller. */
enum tm_exit tls_connect(const struct tls_address *address, int *descriptor);

/* tls_listen - *descriptor becomes a socket that connections come to; says at which address (port 0: any port). */
enum tm_exit tls_listen(const struct tls_address *address, int *descriptor);

/* tls_accept - the next connection, and in @peer whose it is. */
enum tm_exit tls_accept(int listener, int *descriptor, char *peer, size_t peer_bytes);

/* ---- secret.c ---- */

/* tls_secret_check - the file is there, is a plain file, and nobody but its owner may read it. */
enum tm_exit tls_secret_check(const char *path);

/* A line of a file of keys; both parts are the caller's, for gnutls_free(). NULL where there is none. */
struct tls_key {
    char *identity;
    gnutls_datum_t bytes;
};

/*
 * tls_key_read - the key of @identity (NULL: the first one) in a file of lines IDENTITY:HEX. Where it has none of that
 * identity the answer is TM_EXIT_OK, and key->identity is NULL.
 */
enum tm_exit tls_key_read(const char *path, const char *identity, struct tls_key *key);

void tls_key_free(struct tls_key *key);

/* ---- trust.c ---- */

#define TLS_WORDS_SIZE 160u

/* tls_cause - what GnuTLS, or an alert from the other end, says about @problem, in @words; returns it. */
const char *tls_cause(gnutls_session_t session, int problem, char words[static TLS_WORDS_SIZE]);

/* How the ends know each other: a file with a key that both have, or certificates; and what GnuTLS makes of it. */
struct tls_trust {
    const char *psk;
    const char *certificate;
    const char *key;
    const char *ca;
    gnutls_psk_client_credentials_t psk_client;
    gnutls_psk_server_credentials_t psk_server;
    gnutls_certificate_credentials_t certificates;
};

/* tls_trust_load - read the files. tls_trust_free() afterwards, whatever the outcome. */
enum tm_exit tls_trust_load(struct tls_trust *trust, bool is_server);

void tls_trust_free(struct tls_trust *trust);

/*
 * tls_begin - both ends of the connection prove who they are; 10 seconds at most.
 *
 * @host  the name that the server's certificate has to be for; NULL: this end is the server.
 * @peer  the other end in messages.
 *
 * *session is the caller's, for gnutls_deinit(), after TM_EXIT_OK only.
 */
enum tm_exit tls_begin(const struct tls_trust *trust, int descriptor, const char *host, const char *peer,
                       gnutls_session_t *session);

/* ---- relay.c ---- */

/*
 * tls_relay - pass on what comes between the socket @local and the session over @descriptor, until one of them ends.
 * Closes neither. TM_EXIT_OK: one said that it is done, and the other got everything that came before.
 */
enum tm_exit tls_relay(gnutls_session_t session, int descriptor, int local, const char *peer);

#endif
