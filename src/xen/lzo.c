/* SPDX-License-Identifier: BSD-2-Clause */
/* lzo.c - the kernel's two LZO1X functions, by liblzo2's. Its results have the same numbers. */
#include <tmem/tmem.h>

#include <lzo/lzo1x.h>

#include "base/base.h"

/* Those of <tmem/lzo.h>, which cannot be included beside liblzo2's header. */
TMEM_API int tmem_lzo1x_1_compress(const unsigned char *src, size_t src_len, unsigned char *dst, size_t *dst_len,
                                   void *wrkmem);
TMEM_API int tmem_lzo1x_decompress_safe(const unsigned char *src, size_t src_len, unsigned char *dst,
                                        size_t *dst_len);

TM_STATIC_ASSERT(LZO1X_1_MEM_COMPRESS <= 16384u * sizeof(unsigned char *));
TM_STATIC_ASSERT(sizeof(lzo_uint) == sizeof(size_t));

int tmem_lzo1x_1_compress(const unsigned char *src, size_t src_len, unsigned char *dst, size_t *dst_len, void *wrkmem)
{
    lzo_uint written = 0;
    if (src == NULL || dst == NULL || dst_len == NULL || wrkmem == NULL)
        return LZO_E_ERROR;
    int result = lzo1x_1_compress(src, src_len, dst, &written, wrkmem);
    *dst_len = written;
    return result;
}

int tmem_lzo1x_decompress_safe(const unsigned char *src, size_t src_len, unsigned char *dst, size_t *dst_len)
{
    if (src == NULL || dst == NULL || dst_len == NULL)
        return LZO_E_ERROR;
    lzo_uint written = *dst_len;
    int result = lzo1x_decompress_safe(src, src_len, dst, &written, NULL);
    *dst_len = written;
    return result;
}
