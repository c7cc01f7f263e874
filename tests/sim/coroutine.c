/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * coroutine.c - see coroutine.h.
 *
 * Stacks are switched by hand: only what a function call keeps is saved. (swapcontext() asks the kernel about signals
 * each time, which takes longer than all the rest of a step, and the address sanitizer warns of it.)
 */
#include "sim/coroutine.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/base.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif
#ifdef WITH_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef WITH_VALGRIND
#include <valgrind/valgrind.h>
#endif

#define STACK_BYTES (512u << 10)
#define GUARD_BYTES 4096u
#define OUTSIDE COROUTINES_MAX

/* Saves what the calling function needs on its stack, and where that is in *@from; goes on where @to was saved. */
void sim_switch_stack(void **from, void *to);

#if defined(__x86_64__)
#define SAVED_WORDS 6u
__asm__(".text\n"
        ".globl sim_switch_stack\n"
        ".hidden sim_switch_stack\n"
        ".type sim_switch_stack, @function\n"
        "sim_switch_stack:\n"
        "pushq %rbp\n pushq %rbx\n pushq %r12\n pushq %r13\n pushq %r14\n pushq %r15\n"
        "movq %rsp, (%rdi)\n"
        "movq %rsi, %rsp\n"
        "popq %r15\n popq %r14\n popq %r13\n popq %r12\n popq %rbx\n popq %rbp\n"
        "ret\n"
        ".size sim_switch_stack, . - sim_switch_stack\n");
#elif defined(__i386__)
#define SAVED_WORDS 4u
__asm__(".text\n"
        ".globl sim_switch_stack\n"
        ".hidden sim_switch_stack\n"
        ".type sim_switch_stack, @function\n"
        "sim_switch_stack:\n"
        "pushl %ebp\n pushl %ebx\n pushl %esi\n pushl %edi\n"
        "movl 20(%esp), %eax\n"
        "movl 24(%esp), %edx\n"
        "movl %esp, (%eax)\n"
        "movl %edx, %esp\n"
        "popl %edi\n popl %esi\n popl %ebx\n popl %ebp\n"
        "ret\n"
        ".size sim_switch_stack, . - sim_switch_stack\n");
#endif

struct coroutine {
    void *saved;
    unsigned char *stack;
    void (*body)(void *user);
    void *user;
    /* What the address sanitizer must be told about the stack that is gone to. */
    const void *bottom;
    size_t bytes;
    void *fake_stack;
};

static struct coroutine coroutines[COROUTINES_MAX + 1u];
static unsigned current = OUTSIDE;

/* @for_ever: nobody will come back to @from. */
static void begin_switch(struct coroutine *from, const struct coroutine *to, bool for_ever)
{
#ifdef WITH_ASAN
    __sanitizer_start_switch_fiber(for_ever ? NULL : &from->fake_stack, to->bottom, to->bytes);
#else
    (void)from;
    (void)to;
    (void)for_ever;
#endif
}

/* Running on the new stack. The first switch tells where the stack outside of all coroutines is. */
static void end_switch(struct coroutine *to)
{
#ifdef WITH_ASAN
    const void *bottom;
    size_t bytes;
    __sanitizer_finish_switch_fiber(to->fake_stack, &bottom, &bytes);
    if (coroutines[OUTSIDE].bottom == NULL) {
        coroutines[OUTSIDE].bottom = bottom;
        coroutines[OUTSIDE].bytes = bytes;
    }
#else
    (void)to;
#endif
}

static void go(unsigned number, bool for_ever)
{
    struct coroutine *from = &coroutines[current];
    struct coroutine *to = &coroutines[number];
    current = number;
    begin_switch(from, to, for_ever);
    sim_switch_stack(&from->saved, to->saved);
    end_switch(from);
}

static void run(void)
{
    struct coroutine *self = &coroutines[current];
    end_switch(self);
    self->body(self->user);
    go(OUTSIDE, true);
}

static unsigned char *map_stack(void)
{
    unsigned char *memory =
        mmap(NULL, STACK_BYTES + GUARD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || mprotect(memory, GUARD_BYTES, PROT_NONE) != 0) {
        fprintf(stderr, "sim: no memory for a stack\n");
        exit(1);
    }
#ifdef WITH_VALGRIND
    VALGRIND_STACK_REGISTER(memory + GUARD_BYTES, memory + GUARD_BYTES + STACK_BYTES);
#endif
    return memory + GUARD_BYTES;
}

void coroutine_make(unsigned number, void (*body)(void *user), void *user)
{
    struct coroutine *coroutine = &coroutines[number];
    TM_ASSERT(number < COROUTINES_MAX && current == OUTSIDE);
    if (coroutine->stack == NULL)
        coroutine->stack = map_stack();
#ifdef WITH_ASAN
    __asan_unpoison_memory_region(coroutine->stack, STACK_BYTES); /* frames that were never left */
#endif
    coroutine->body = body;
    coroutine->user = user;
    coroutine->bottom = coroutine->stack;
    coroutine->bytes = STACK_BYTES;
    coroutine->fake_stack = NULL;
    /* As if run() had been about to be returned to; above it the return address that a function expects. */
    void **top = (void **)(void *)(coroutine->stack + STACK_BYTES);
    memset(top - 2u - SAVED_WORDS, 0, (2u + SAVED_WORDS) * sizeof *top);
    void (*entry)(void) = run;
    memcpy(top - 2, &entry, sizeof entry);
    coroutine->saved = top - 2u - SAVED_WORDS;
}

void coroutine_resume(unsigned number)
{
    TM_ASSERT(current == OUTSIDE);
    go(number, false);
}

void coroutine_switch(unsigned to)
{
    TM_ASSERT(current != OUTSIDE && to < COROUTINES_MAX);
    if (to != current)
        go(to, false);
}

void coroutine_leave(void)
{
    TM_ASSERT(current != OUTSIDE);
    go(OUTSIDE, false);
}

unsigned coroutine_current(void)
{
    return current;
}
