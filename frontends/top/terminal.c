/* SPDX-License-Identifier: BSD-2-Clause */
/* terminal.c - a look at the terminal, apart from the screen: the header has the names of many things as macros. */
#include "screen.h"

#include <curses.h>
#include <term.h>
#include <unistd.h>

bool top_terminal_is_known(void)
{
    int error;
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return false;
    (void)del_curterm(cur_term);
    return true;
}
