/* SPDX-License-Identifier: BSD-2-Clause */
/* decode.c - how the words of an op lie in the memory of guests of each kind. */
#include <string.h>

#include "xen/xen.h"

/* Of a 64-bit guest. For a 32-bit one the first 32 bytes are the same, and what follows has four bytes. */
struct op_v0 {
    uint32_t cmd;
    int32_t pool_id;
    union {
        struct {
            uint64_t uuid[2];
            uint32_t flags;
        } creat;
        struct {
            uint64_t object;
            uint32_t index, tmem_offset, pfn_offset, len;
            uint64_t cmfn;
        } gen;
        struct {
            uint32_t subop, cli_id, arg1, arg2;
            uint64_t arg3, buf;
        } ctrl;
    } u;
};

TM_STATIC_ASSERT(sizeof(struct tmem_op) == 56);
TM_STATIC_ASSERT(offsetof(struct tmem_op, u.creat.flags) == 24 && offsetof(struct tmem_op, u.creat.arg1) == 28);
TM_STATIC_ASSERT(offsetof(struct tmem_op, u.gen.index) == 32 && offsetof(struct tmem_op, u.gen.cmfn) == 48);
TM_STATIC_ASSERT(offsetof(struct tmem_op, u.ctrl.oid) == 24 && offsetof(struct tmem_op, u.ctrl.buf) == 48);
TM_STATIC_ASSERT(sizeof(struct op_v0) == 40 && offsetof(struct op_v0, u.gen.cmfn) == 32);
TM_STATIC_ASSERT(offsetof(struct op_v0, u.ctrl.buf) == 32);
TM_STATIC_ASSERT(sizeof(struct xen_sysctl_tmem_op) == 56 && offsetof(struct xen_sysctl_tmem_op, oid) == 24);
TM_STATIC_ASSERT(sizeof(struct xen_tmem_client) == 20 && sizeof(struct xen_tmem_pool_info) == 32);
TM_STATIC_ASSERT(sizeof(struct tmem_handle) == 32);

size_t tmem_xen_op_size(uint32_t abi)
{
    static const size_t sizes[] = {
        [TMEM_XEN_ABI_X86_64] = 56,
        [TMEM_XEN_ABI_I386] = 52,
        [TMEM_XEN_ABI_X86_64_V0] = 40,
        [TMEM_XEN_ABI_I386_V0] = 36,
    };
    return abi < TM_ARRAY_SIZE(sizes) ? sizes[abi] : 0;
}

static void decode_v0(const struct op_v0 *from, struct tmem_op *op)
{
    op->cmd = from->cmd;
    op->pool_id = from->pool_id;
    if (from->cmd == TMEM_CONTROL) {
        op->u.ctrl.subop = from->u.ctrl.subop;
        op->u.ctrl.cli_id = from->u.ctrl.cli_id;
        op->u.ctrl.arg1 = from->u.ctrl.arg1;
        op->u.ctrl.arg2 = from->u.ctrl.arg2;
        op->u.ctrl.buf = from->u.ctrl.buf;
    } else if (from->cmd == TMEM_NEW_POOL) {
        op->u.creat.uuid[0] = from->u.creat.uuid[0];
        op->u.creat.uuid[1] = from->u.creat.uuid[1];
        op->u.creat.flags = from->u.creat.flags;
    } else {
        op->u.gen.oid[0] = from->u.gen.object;
        op->u.gen.index = from->u.gen.index;
        op->u.gen.tmem_offset = from->u.gen.tmem_offset;
        op->u.gen.pfn_offset = from->u.gen.pfn_offset;
        op->u.gen.len = from->u.gen.len;
        op->u.gen.cmfn = from->u.gen.cmfn;
    }
}

bool tmem_xen_decode(uint32_t abi, const void *bytes, size_t size_bytes, struct tmem_op *op)
{
    size_t needed = tmem_xen_op_size(abi);
    if (needed == 0 || bytes == NULL || op == NULL || size_bytes < needed)
        return false;
    struct tmem_op decoded = {0};
    if (abi == TMEM_XEN_ABI_X86_64_V0 || abi == TMEM_XEN_ABI_I386_V0) {
        struct op_v0 old = {0};
        memcpy(&old, bytes, needed);
        decode_v0(&old, &decoded);
    } else {
        memcpy(&decoded, bytes, needed);
    }
    /* What a 32-bit guest's op lacks are the upper halves of frame and buffer, which come last: zero. */
    *op = decoded;
    return true;
}
