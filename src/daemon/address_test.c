/* SPDX-License-Identifier: BSD-2-Clause */
/* address_test.c - which texts are addresses, and that one can listen there. */
#include "daemon/address.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

static void an_address_has_a_port(void **state)
{
    static const char *const good[] = {"127.0.0.1:9753", "9753", "0.0.0.0:1", "[::1]:9753", "[::]:65535"};
    static const char *const bad[] = {"",
                                      ":",
                                      "127.0.0.1",
                                      "127.0.0.1:",
                                      ":9753",
                                      "::1:9753",
                                      "[::1]",
                                      "[]:1",
                                      "localhost:9753",
                                      "127.0.0.1:http",
                                      "127.0.0.1:-1",
                                      "127.0.0.1:99999999",
                                      "127.0.0.1:65536",
                                      "[127.0.0.1]:+1",
                                      "256.1.1.1:1",
                                      "1111111111111111111111111111111111111111111111111111111111111111:1"};
    (void)state;
    for (size_t i = 0; i < TM_ARRAY_SIZE(good); i++) {
        struct tm_address address = {.text = ""};
        if (!tm_address_parse(good[i], &address))
            fail_msg("%s is refused", good[i]);
        assert_string_equal(address.text, good[i]);
    }
    for (size_t i = 0; i < TM_ARRAY_SIZE(bad); i++) {
        struct tm_address address = {.text = "as it was"};
        if (tm_address_parse(bad[i], &address))
            fail_msg("%s is taken", bad[i]);
        assert_string_equal(address.text, "as it was");
    }
}

static void a_port_alone_is_of_this_machine(void **state)
{
    struct tm_address address;
    struct sockaddr_in name;
    (void)state;
    assert_true(tm_address_parse("9753", &address));
    assert_int_equal(address.bytes, sizeof name);
    memcpy(&name, &address.name, sizeof name);
    assert_int_equal(name.sin_addr.s_addr, htonl(INADDR_LOOPBACK));
    assert_int_equal(ntohs(name.sin_port), 9753);
}

static void where_somebody_listens_nobody_else_can(void **state)
{
    struct tm_address address;
    (void)state;
    assert_true(tm_address_parse("127.0.0.1:0", &address));
    int first = tm_address_listen(&address);
    assert_true(first >= 0);
    assert_int_equal(getsockname(first, (struct sockaddr *)&address.name, &address.bytes), 0);
    assert_int_equal(tm_address_listen(&address), -1);
    assert_int_equal(errno, EADDRINUSE);
    close(first);
    int second = tm_address_listen(&address);
    assert_true(second >= 0);
    close(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_has_a_port),
        cmocka_unit_test(a_port_alone_is_of_this_machine),
        cmocka_unit_test(where_somebody_listens_nobody_else_can),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
