/* SPDX-License-Identifier: BSD-2-Clause */
/* relay.c - what comes from the local socket goes into the session, and the other way round. */
#include "tls.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* A record's worth. */
#define PIECE_BYTES 16384u

/* After the end the peer is listened to for so long: a connection closed earlier takes back what was sent last. */
#define FAREWELL_SECONDS 5

struct relay {
    gnutls_session_t session;
    int descriptor;
    int local;
    const char *peer;
    unsigned char piece[PIECE_BYTES];
};

/* What a pass over one direction came to. */
enum outcome {
    OUTCOME_MORE,
    OUTCOME_END,   /* this side said that it is done */
    OUTCOME_BROKEN /* after a message */
};

static bool can_retry(ssize_t problem)
{
    return problem == GNUTLS_E_AGAIN || problem == GNUTLS_E_INTERRUPTED;
}

static enum outcome session_broke(const struct relay *relay, ssize_t problem)
{
    char words[TLS_WORDS_SIZE];
    tm_message("the connection with %s was cut: %s (see there for the reason)", relay->peer,
               tls_cause(relay->session, (int)problem, words));
    return OUTCOME_BROKEN;
}

static enum outcome local_broke(int error)
{
    char cause[TM_ERROR_TEXT_SIZE];
    tm_message("this end of the connection broke: %s", tm_error_text(error, cause));
    return OUTCOME_BROKEN;
}

static enum outcome to_session(struct relay *relay)
{
    ssize_t got = recv(relay->local, relay->piece, sizeof relay->piece, MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno == ECONNRESET))
        return OUTCOME_END;
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? OUTCOME_MORE : local_broke(errno);
    for (size_t done = 0; done < (size_t)got;) {
        ssize_t sent = gnutls_record_send(relay->session, relay->piece + done, (size_t)got - done);
        if (sent >= 0) {
            done += (size_t)sent;
        } else if (can_retry(sent)) {
            struct pollfd room = {.fd = relay->descriptor, .events = POLLOUT};
            (void)poll(&room, 1, -1);
        } else {
            return session_broke(relay, sent);
        }
    }
    return OUTCOME_MORE;
}

static enum outcome from_session(struct relay *relay)
{
    ssize_t got = gnutls_record_recv(relay->session, relay->piece, sizeof relay->piece);
    if (got == 0)
        return OUTCOME_END;
    if (got < 0)
        return can_retry(got) ? OUTCOME_MORE : session_broke(relay, got);
    for (size_t done = 0; done < (size_t)got;) {
        ssize_t sent = send(relay->local, relay->piece + done, (size_t)got - done, MSG_NOSIGNAL);
        if (sent >= 0)
            done += (size_t)sent;
        else if (errno == EPIPE || errno == ECONNRESET)
            return OUTCOME_MORE; /* whom it was for has gone; what he said last is still to be read */
        else if (errno != EINTR)
            return local_broke(errno);
    }
    return OUTCOME_MORE;
}

/* Says that this is the end, and waits until the peer has seen it. */
static void say_goodbye(struct relay *relay)
{
    const struct timeval patience = {.tv_sec = FAREWELL_SECONDS};
    (void)fcntl(relay->descriptor, F_SETFL, 0);
    (void)setsockopt(relay->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    (void)setsockopt(relay->descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    (void)gnutls_bye(relay->session, GNUTLS_SHUT_WR);
    (void)shutdown(relay->descriptor, SHUT_WR);
    while (recv(relay->descriptor, relay->piece, sizeof relay->piece, 0) > 0) {
    }
}

enum tm_exit tls_relay(gnutls_session_t session, int descriptor, int local, const char *peer)
{
    struct relay relay = {.session = session, .descriptor = descriptor, .local = local, .peer = peer};
    enum outcome outcome = OUTCOME_MORE;
    if (fcntl(descriptor, F_SETFL, O_NONBLOCK) != 0)
        outcome = local_broke(errno);
    while (outcome == OUTCOME_MORE) {
        struct pollfd ends[] = {{.fd = descriptor, .events = POLLIN}, {.fd = local, .events = POLLIN}};
        bool is_waiting = gnutls_record_check_pending(session) == 0;
        if (poll(ends, TM_ARRAY_SIZE(ends), is_waiting ? -1 : 0) < 0 && errno != EINTR) {
            outcome = local_broke(errno);
            break;
        }
        if (!is_waiting || ends[0].revents != 0)
            outcome = from_session(&relay);
        if (outcome == OUTCOME_MORE && ends[1].revents != 0)
            outcome = to_session(&relay);
    }
    if (outcome != OUTCOME_END)
        return TM_EXIT_FAILED;
    say_goodbye(&relay);
    return TM_EXIT_OK;
}
